package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testing "google.golang.org/grpc/interop/grpc_testing"
)

// The server of gRPC's own interoperability cases.
func grpcServer(arguments []string) error {
	flags := flag.NewFlagSet("grpc-server", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := grpc.NewServer()
	testing.RegisterTestServiceServer(server, interop.NewTestServer())
	return server.Serve(listener)
}

var interoperability = map[string]func(context.Context, testing.TestServiceClient, ...grpc.CallOption){
	"empty_unary":                 interop.DoEmptyUnaryCall,
	"large_unary":                 interop.DoLargeUnaryCall,
	"client_streaming":            interop.DoClientStreaming,
	"server_streaming":            interop.DoServerStreaming,
	"ping_pong":                   interop.DoPingPong,
	"empty_stream":                interop.DoEmptyStream,
	"timeout_on_sleeping_server":  interop.DoTimeoutOnSleepingServer,
	"cancel_after_begin":          interop.DoCancelAfterBegin,
	"cancel_after_first_response": interop.DoCancelAfterFirstResponse,
	"status_code_and_message":     interop.DoStatusCodeAndMessage,
	"special_status_message":      interop.DoSpecialStatusMessage,
	"custom_metadata":             interop.DoCustomMetadata,
	"unimplemented_method": func(ctx context.Context, client testing.TestServiceClient, _ ...grpc.CallOption) {
		if _, err := client.UnimplementedCall(ctx, &testing.Empty{}); err == nil {
			panic("a method that is not there answered")
		}
	},
}

// Plays one case and ends with 0 where it holds; what does not hold ends the program with a message.
func grpcClient(arguments []string) error {
	flags := flag.NewFlagSet("grpc-client", flag.ExitOnError)
	address := flags.String("address", "", "host:port of the proxy or server")
	authority := flags.String("authority", "", ":authority of the requests")
	name := flags.String("case", "empty_unary", "which of gRPC's interoperability cases")
	limit := flags.Duration("limit", 30*time.Second, "longest time for the case")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	play := interoperability[*name]
	if play == nil {
		return fmt.Errorf("no case %s", *name)
	}
	connection, err := grpc.NewClient(
		"passthrough:///"+*address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority(*authority),
	)
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	play(ctx, testing.NewTestServiceClient(connection))
	return nil
}
