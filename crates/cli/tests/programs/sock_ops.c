/* Says which callbacks came, and switches on those of states. */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))

static long (*bpf_trace_printk)(const char *, __u32, ...) = (void *)BPF_FUNC_trace_printk;
static long (*bpf_sock_ops_cb_flags_set)(struct bpf_sock_ops *, int) = (void *)BPF_FUNC_sock_ops_cb_flags_set;

SEC("sockops") int told(struct bpf_sock_ops *ops)
{
	char text[] = "op %d port %d";

	bpf_trace_printk(text, sizeof(text), ops->op, ops->local_port);
	if (ops->op == BPF_SOCK_OPS_TCP_LISTEN_CB)
		bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
	/* A first window of two segments. */
	ops->reply = ops->op == BPF_SOCK_OPS_RWND_INIT ? 2 : -1;
	return 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
