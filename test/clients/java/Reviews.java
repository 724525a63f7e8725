import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/** A server and a client of the JDK alone. Arguments: `server`, port; or `client`, address, how many calls. */
public class Reviews {
  public static void main(String[] args) throws Exception {
    if (args[0].equals("server")) serve(Integer.parseInt(args[1]));
    else call(URI.create(args[1]), Integer.parseInt(args[2]));
  }

  static void serve(int port) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
    server.createContext("/reviews", exchange -> {
      try {
        Thread.sleep(5);
      } catch (InterruptedException stopped) {
        return;
      }
      byte[] body = "[]".getBytes();
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
  }

  static void call(URI address, int count) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    for (int i = 0; i < count; i++) client.send(HttpRequest.newBuilder(address).build(), BodyHandlers.ofString());
  }
}
