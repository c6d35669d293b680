// Java's two ways: NIO with a selector on one thread, and blocking sockets, on PORT and PORT + 1, with clients of their own.
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;

public class Server {
    static void select(Selector selector) throws Exception {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        while (true) {
            selector.select();
            var keys = selector.selectedKeys().iterator();
            while (keys.hasNext()) {
                SelectionKey key = keys.next();
                keys.remove();
                if (key.isAcceptable()) {
                    SocketChannel client;
                    while ((client = ((ServerSocketChannel) key.channel()).accept()) != null) {
                        client.configureBlocking(false);
                        client.register(selector, SelectionKey.OP_READ);
                    }
                } else {
                    SocketChannel client = (SocketChannel) key.channel();
                    buffer.clear();
                    if (client.read(buffer) < 0) {
                        client.close();
                        continue;
                    }
                    buffer.flip();
                    while (buffer.hasRemaining()) client.write(buffer);
                }
            }
        }
    }

    static void block(ServerSocket listener) throws Exception {
        while (true) {
            Socket client = listener.accept();
            new Thread(() -> {
                try (client) {
                    client.getInputStream().transferTo(client.getOutputStream());
                } catch (Exception e) {
                    e.printStackTrace();
                }
            }).start();
        }
    }

    interface Body { void run() throws Exception; }

    static Thread start(Body body) {
        Thread thread = new Thread(() -> {
            try {
                body.run();
            } catch (Exception e) {
                e.printStackTrace();
                System.exit(1);
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        Selector selector = Selector.open();
        ServerSocketChannel channel = ServerSocketChannel.open();
        channel.bind(new InetSocketAddress(port), 100);
        channel.configureBlocking(false);
        channel.register(selector, SelectionKey.OP_ACCEPT);
        ServerSocket listener = new ServerSocket(port + 1, 100);
        start(() -> select(selector));
        start(() -> block(listener));
        List<Thread> clients = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            int number = i;
            clients.add(start(() -> {
                String host = number % 4 < 2 ? "127.0.0.1" : "::1";
                try (Socket socket = new Socket(host, port + number % 2)) {
                    socket.setTcpNoDelay(true);
                    socket.setSoTimeout(60000);
                    InputStream in = socket.getInputStream();
                    for (int round = 1; round < 20; round++) {
                        byte[] word = new byte[round * 1000 + number];
                        java.util.Arrays.fill(word, (byte) round);
                        socket.getOutputStream().write(word);
                        byte[] got = in.readNBytes(word.length);
                        if (!java.util.Arrays.equals(got, word)) throw new Exception("not the same");
                    }
                }
            }));
        }
        for (Thread client : clients) client.join();
        System.out.println("served 100");
    }
}
