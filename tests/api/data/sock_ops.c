/* Records every callback, in order, for a test to read, and switches all of them on. */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name

static void *(*bpf_map_lookup_elem)(void *, const void *) = (void *)BPF_FUNC_map_lookup_elem;
static long (*bpf_sock_ops_cb_flags_set)(struct bpf_sock_ops *, int) = (void *)BPF_FUNC_sock_ops_cb_flags_set;

/* What the questions are answered with; -1 says nothing. */
#ifndef TIMEOUT
#define TIMEOUT -1
#endif
#ifndef WINDOW
#define WINDOW -1
#endif
#ifndef ECN
#define ECN -1
#endif

/* Words of 32 bits, in the order in which the test reads them. */
struct record {
	__u32 op, args[3], state, cb_flags, full, family;
	__u32 local_port, remote_port, local_ip4, remote_ip4, local_ip6[4], remote_ip6[4];
	__u32 cwnd, ssthresh, mss, rcv_nxt, snd_nxt, snd_una, packets_out, srtt_us, set;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct record);
} records SEC(".maps");

SEC("sockops") int record(struct bpf_sock_ops *ops)
{
	__u32 zero = 0, at;
	__u32 *n = bpf_map_lookup_elem(&count, &zero);
	struct record *r;

	if (!n)
		return 1;
	at = *n;
	*n = at + 1;
	r = bpf_map_lookup_elem(&records, &at);
	if (!r)
		return 1;
	r->op = ops->op;
	r->args[0] = ops->args[0];
	r->args[1] = ops->args[1];
	r->args[2] = ops->args[2];
	r->state = ops->state;
	r->cb_flags = ops->bpf_sock_ops_cb_flags;
	r->full = ops->is_fullsock;
	r->family = ops->family;
	r->local_port = ops->local_port;
	r->remote_port = ops->remote_port;
	r->local_ip4 = ops->local_ip4;
	r->remote_ip4 = ops->remote_ip4;
	r->local_ip6[0] = ops->local_ip6[0];
	r->local_ip6[1] = ops->local_ip6[1];
	r->local_ip6[2] = ops->local_ip6[2];
	r->local_ip6[3] = ops->local_ip6[3];
	r->remote_ip6[0] = ops->remote_ip6[0];
	r->remote_ip6[1] = ops->remote_ip6[1];
	r->remote_ip6[2] = ops->remote_ip6[2];
	r->remote_ip6[3] = ops->remote_ip6[3];
	r->cwnd = ops->snd_cwnd;
	r->ssthresh = ops->snd_ssthresh;
	r->mss = ops->mss_cache;
	r->rcv_nxt = ops->rcv_nxt;
	r->snd_nxt = ops->snd_nxt;
	r->snd_una = ops->snd_una;
	r->packets_out = ops->packets_out;
	r->srtt_us = ops->srtt_us;
	/* A listener's children inherit what it has. */
	if (ops->op == BPF_SOCK_OPS_TCP_LISTEN_CB || ops->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		r->set = bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_RTO_CB_FLAG | BPF_SOCK_OPS_RETRANS_CB_FLAG |
						   BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_RTT_CB_FLAG);
	else
		r->set = bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags);
	switch (ops->op) {
	case BPF_SOCK_OPS_TIMEOUT_INIT:
		ops->reply = TIMEOUT;
		break;
	case BPF_SOCK_OPS_RWND_INIT:
		ops->reply = WINDOW;
		break;
	case BPF_SOCK_OPS_NEEDS_ECN:
		ops->reply = ECN;
		break;
	default:
		ops->reply = -1;
	}
	return 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
