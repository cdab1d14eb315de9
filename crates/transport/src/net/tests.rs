use super::*;

#[tokio::test]
async fn strangers_lead_neither_to_this_computer_nor_to_its_link() {
    let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_address().port();
    let own = [
        "127.0.0.1",
        "localhost",
        "127.1.2.3",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "[fe80::1]",
        "224.0.0.1",
        "[ff02::1]",
        "255.255.255.255",
    ];
    for host in own {
        let url: Uri = format!("http://{host}:{port}/").parse().expect("an address");
        let refused = PublicConnect.connect(&url).await.err().expect(host);
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{host}: {refused}");
    }
    for other in ["10.0.0.1", "192.168.1.1", "93.184.216.34", "fd00::1", "2001:db8::1"] {
        assert!(is_public(other.parse().expect("an address")), "{other}");
    }
}
