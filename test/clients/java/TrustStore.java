import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;

/** Certificates of a PEM bundle as a store that Java reads: it knows of none of the variables by which other programs are told of a bundle. */
class TrustStore {
  public static void main(String[] args) throws Exception {
    var store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    try (var bundle = new FileInputStream(args[0])) {
      var at = 0;
      for (Certificate it : CertificateFactory.getInstance("X.509").generateCertificates(bundle)) store.setCertificateEntry("c" + at++, it);
    }
    try (var out = new FileOutputStream(args[1])) {
      store.store(out, "changeit".toCharArray());
    }
  }
}
