import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.lang.reflect.Proxy;
import java.util.Locale;
import java.util.Scanner;
import java.util.concurrent.CountDownLatch;
import javax.sql.DataSource;

/**
 * HikariCP's side of hikari_bench.py: getConnection() and close(), again and again, on connections that do nothing.
 *
 * A line `THREADS CONNECTIONS MILLISECONDS` on standard input runs one case; the answer is a line `CYCLES SECONDS
 * SLOWEST`, as of bench/pool_threads.cpp. The options are HikariCP's defaults but for the size, which is fixed, so that
 * nothing is opened or closed meanwhile; what was used within 500 ms is lent without a look, which is its default too.
 */
public final class HikariCycle {
  private static volatile boolean stop;

  public static void main(String[] arguments) throws Exception {
    Scanner cases = new Scanner(System.in);
    while (cases.hasNextInt()) {
      measure(cases.nextInt(), cases.nextInt(), cases.nextInt());
    }
  }

  private static void measure(int threads, int connections, int milliseconds) throws Exception {
    try (HikariDataSource pool = new HikariDataSource(configuration(connections))) {
      while (pool.getHikariPoolMXBean().getIdleConnections() < connections) {
        Thread.sleep(1);
      }
      stop = false;
      long[] cycles = new long[threads];
      Thread[] running = new Thread[threads];
      CountDownLatch begin = new CountDownLatch(1);
      for (int i = 0; i < threads; ++i) {
        int mine = i;
        running[i] = new Thread(() -> cycles[mine] = cycle(pool, begin));
        running[i].start();
      }
      long began = System.nanoTime();
      begin.countDown();
      Thread.sleep(milliseconds);
      stop = true;
      double seconds = (System.nanoTime() - began) / 1e9;
      long all = 0;
      long fewest = Long.MAX_VALUE;
      for (int i = 0; i < threads; ++i) {
        running[i].join();
        all += cycles[i];
        fewest = Math.min(fewest, cycles[i]);
      }
      System.out.printf(Locale.ROOT, "%d %.6f %.4f%n", all, seconds, (double) fewest * threads / all);
      System.out.flush();
    }
  }

  private static long cycle(HikariDataSource pool, CountDownLatch begin) {
    try {
      begin.await();
      long cycles = 0;
      for (; !stop; ++cycles) {
        pool.getConnection().close();
      }
      return cycles;
    } catch (Exception failure) {
      failure.printStackTrace();
      System.exit(1);
      return 0;
    }
  }

  private static HikariConfig configuration(int connections) {
    HikariConfig configuration = new HikariConfig();
    configuration.setMaximumPoolSize(connections);
    configuration.setMinimumIdle(connections);
    configuration.setDataSource(nullSource());
    return configuration;
  }

  /** Asked at opening only, so what the proxy costs is not measured. */
  private static DataSource nullSource() {
    return (DataSource) Proxy.newProxyInstance(HikariCycle.class.getClassLoader(), new Class<?>[] {DataSource.class},
        (proxy, method, arguments) -> {
          switch (method.getName()) {
            case "getConnection": return new NullConnection();
            case "getLoginTimeout": return 0;
            case "hashCode": return System.identityHashCode(proxy);
            case "equals": return proxy == arguments[0];
            case "toString": return "nowhere";
            default: return null;
          }
        });
  }
}
