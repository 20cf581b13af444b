// A node of the table as the upstream mirror 0.7.4 makes it: the same libraries, versions and settings, without a registry.
// Commands are lines on stdin: `join <multiaddr>`, `announce <key>`, `lookup <key> <count>`, `peers`. Answers are lines of JSON on stdout.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/provider"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	mh "github.com/multiformats/go-multihash"
)

const (
	interval = 15 * time.Minute
	delay    = 2 * time.Minute
)

type node struct {
	host     host.Host
	table    *dht.IpfsDHT
	provider *provider.SweepingProvider
}

func main() {
	listen := flag.String("listen", "", "multiaddress to listen on")
	security := flag.String("security", "both", "noise, tls or both")
	flag.Parse()
	n, err := newNode(*listen, *security)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	say(map[string]any{"id": n.host.ID().String()})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		answer, err := n.run(words)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		say(answer)
	}
}

func say(answer any) {
	text, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func withoutLoopback(addrs []ma.Multiaddr) []ma.Multiaddr {
	kept := []ma.Multiaddr{}
	for _, addr := range addrs {
		if !manet.IsIPLoopback(addr) {
			kept = append(kept, addr)
		}
	}
	return kept
}

func newNode(listen, security string) (*node, error) {
	options := []libp2p.Option{
		libp2p.ListenAddrStrings(listen),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.AddrsFactory(withoutLoopback),
		libp2p.ChainOptions(libp2p.NoTransports, libp2p.Transport(tcp.NewTCPTransport)),
	}
	switch security {
	case "noise":
		options = append(options, libp2p.Security(noise.ID, noise.New))
	case "tls":
		options = append(options, libp2p.Security(libp2ptls.ID, libp2ptls.New))
	}
	h, err := libp2p.New(options...)
	if err != nil {
		return nil, err
	}
	table, err := dht.New(context.Background(), h,
		dht.Mode(dht.ModeServer),
		dht.ProtocolPrefix("/spegel"),
		dht.ProviderManagerOpts(records.ProvideValidity(interval+2*delay), records.ProviderAddrTTL(time.Hour)),
	)
	if err != nil {
		return nil, err
	}
	sweeping, err := provider.New(
		provider.WithRouter(table),
		provider.WithHost(h),
		provider.WithMessageSender(table.MessageSender()),
		provider.WithSelfAddrs(h.Addrs),
		provider.WithReprovideInterval(interval),
		provider.WithMaxReprovideDelay(delay),
		provider.WithOfflineDelay(0),
		provider.WithConnectivityCheckOnlineInterval(30*time.Second),
		provider.WithAddLocalRecord(func(hash mh.Multihash) error {
			return table.ProviderStore().AddProvider(table.Context(), hash, peer.AddrInfo{ID: h.ID()})
		}),
	)
	if err != nil {
		return nil, err
	}
	return &node{h, table, sweeping}, nil
}

func (n *node) run(words []string) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	switch {
	case words[0] == "join" && len(words) == 2:
		return n.join(ctx, words[1])
	case words[0] == "announce" && len(words) == 2:
		hash, err := hashOf(words[1])
		if err != nil {
			return nil, err
		}
		if err := n.table.ProviderStore().AddProvider(ctx, hash, peer.AddrInfo{ID: n.host.ID()}); err != nil {
			return nil, err
		}
		return map[string]any{"announced": words[1]}, n.provider.StartProviding(false, hash)
	case words[0] == "lookup" && len(words) == 3:
		return n.lookup(ctx, words[1], words[2])
	case words[0] == "peers":
		peers := []map[string]string{}
		for _, id := range n.table.RoutingTable().ListPeers() {
			agent, _ := n.host.Peerstore().Get(id, "AgentVersion")
			peers = append(peers, map[string]string{"id": id.String(), "agent": fmt.Sprint(agent)})
		}
		return map[string]any{"peers": peers}, nil
	}
	return nil, fmt.Errorf("no command %q", words)
}

// Joins by an address with or without an id; without one, a wrong id is claimed and the right one taken from the refusal.
func (n *node) join(ctx context.Context, text string) (any, error) {
	addr, err := ma.NewMultiaddr(text)
	if err != nil {
		return nil, err
	}
	info, err := peer.AddrInfoFromP2pAddr(addr)
	if err != nil {
		private, _, err := crypto.GenerateEd25519Key(nil)
		if err != nil {
			return nil, err
		}
		wrong, err := peer.IDFromPrivateKey(private)
		if err != nil {
			return nil, err
		}
		info = &peer.AddrInfo{ID: wrong, Addrs: []ma.Multiaddr{addr}}
		var mismatch sec.ErrPeerIDMismatch
		if err := n.host.Connect(ctx, *info); !errors.As(err, &mismatch) {
			return nil, fmt.Errorf("no mismatch of ids but %w", err)
		}
		n.host.Peerstore().ClearAddrs(wrong)
		n.host.Peerstore().RemovePeer(wrong)
		info.ID = mismatch.Actual
	}
	if err := n.host.Connect(ctx, *info); err != nil {
		return nil, err
	}
	for n.table.RoutingTable().Size() == 0 && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	if err := <-n.table.RefreshRoutingTable(); err != nil {
		return nil, err
	}
	return map[string]any{"joined": info.ID.String(), "peers": n.table.RoutingTable().Size()}, nil
}

func (n *node) lookup(ctx context.Context, key, countText string) (any, error) {
	count, err := strconv.Atoi(countText)
	if err != nil {
		return nil, err
	}
	hash, err := hashOf(key)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	ids := []string{}
	hosts := map[string][]string{}
	for info := range n.table.FindProvidersAsync(ctx, cid.NewCidV1(cid.Raw, hash), count) {
		if info.ID == n.host.ID() {
			continue
		}
		ids = append(ids, info.ID.String())
		for _, addr := range info.Addrs {
			ip, err := manet.ToIP(addr)
			if err != nil {
				return nil, err
			}
			hosts[info.ID.String()] = append(hosts[info.ID.String()], ip.String())
		}
	}
	return map[string]any{"found": ids, "hosts": hosts, "ms": time.Since(began).Milliseconds()}, nil
}

func hashOf(key string) (mh.Multihash, error) {
	return mh.Sum([]byte(key), mh.SHA2_256, -1)
}
