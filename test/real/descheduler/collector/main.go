// A trace collector: takes OTLP over gRPC as any collector does, and prints each span that came as a line of JSON.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

type event struct {
	Name       string            `json:"name"`
	Attributes map[string]string `json:"attributes"`
}

type span struct {
	Service    string            `json:"service"`
	Scope      string            `json:"scope"`
	Trace      string            `json:"trace"`
	ID         string            `json:"id"`
	Parent     string            `json:"parent"`
	Name       string            `json:"name"`
	Kind       string            `json:"kind"`
	Start      uint64            `json:"start"`
	End        uint64            `json:"end"`
	Attributes map[string]string `json:"attributes"`
	Events     []event           `json:"events"`
}

type server struct {
	collector.UnimplementedTraceServiceServer
	out *json.Encoder
}

func texts(of []*common.KeyValue) map[string]string {
	found := map[string]string{}
	for _, one := range of {
		found[one.GetKey()] = one.GetValue().GetStringValue()
	}
	return found
}

func (s *server) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	for _, resource := range request.GetResourceSpans() {
		service := texts(resource.GetResource().GetAttributes())["service.name"]
		for _, scope := range resource.GetScopeSpans() {
			for _, one := range scope.GetSpans() {
				line := span{
					Service: service, Scope: scope.GetScope().GetName(), Name: one.GetName(), Kind: one.GetKind().String(),
					Trace: hex.EncodeToString(one.GetTraceId()), ID: hex.EncodeToString(one.GetSpanId()), Parent: hex.EncodeToString(one.GetParentSpanId()),
					Start: one.GetStartTimeUnixNano(), End: one.GetEndTimeUnixNano(), Attributes: texts(one.GetAttributes()), Events: []event{},
				}
				for _, noted := range one.GetEvents() {
					line.Events = append(line.Events, event{noted.GetName(), texts(noted.GetAttributes())})
				}
				if err := s.out.Encode(line); err != nil {
					return nil, err
				}
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// Arguments: none, or a certificate and its key, with which it then serves TLS. The first line is its address.
func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	options := []grpc.ServerOption{}
	if len(os.Args) == 3 {
		pair, err := credentials.NewServerTLSFromFile(os.Args[1], os.Args[2])
		if err != nil {
			panic(err)
		}
		options = append(options, grpc.Creds(pair))
	}
	fmt.Printf("{\"address\":%q}\n", listener.Addr().String())
	serving := grpc.NewServer(options...)
	collector.RegisterTraceServiceServer(serving, &server{out: json.NewEncoder(os.Stdout)})
	if err := serving.Serve(listener); err != nil {
		panic(err)
	}
}
