// An HTTP server and, in the same process, clients that keep their connections: node server.js PORT [REQUESTS]
const http = require('http');
const [port, requests] = process.argv.slice(2).map(Number);
let connections = 0;

const server = http.createServer((req, res) => {
  let length = 0;
  req.on('data', (piece) => { length += piece.length; });
  req.on('end', () => res.end(JSON.stringify({ url: req.url, length, from: req.socket.remoteAddress })));
});
server.on('connection', () => { connections += 1; });
server.listen({ port, backlog: 200 }, async () => {
  console.log('listening', server.address().port);
  if (!requests) return;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
  const ask = (host, i) => new Promise((resolve, reject) => {
    const body = 'x'.repeat(i);
    const req = http.request({ host, port, agent, method: 'POST', path: `/${i}`, headers: { 'content-length': i } }, (res) => {
      let text = '';
      res.on('data', (piece) => { text += piece; });
      res.on('end', () => {
        const got = JSON.parse(text);
        if (got.length !== i || got.url !== `/${i}`) reject(new Error(text)); else resolve();
      });
    });
    req.on('error', reject);
    req.end(body);
  });
  const all = [];
  for (let i = 0; i < requests; i += 1) all.push(ask(i % 2 ? '127.0.0.1' : '::1', i));
  await Promise.all(all);
  console.log('answered', requests, 'over', connections);
  agent.destroy();
  server.close(() => console.log('closed'));
});
