// Copyright The Sluice Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The one method there is: nothing in, the version that answers out. It is
// written by hand, since messages that everybody has need no generated code.
const (
	serviceName = "sluice.e2e.Shop"
	methodName  = "Answer"
	fullMethod  = "/" + serviceName + "/" + methodName
)

const (
	// versionKey of an answer's header names the version, of failures too.
	versionKey = "x-version"
	// faultKey of a trailer marks a call that its version failed on purpose.
	faultKey = "x-injected-fault"
)

// answerer is what a server of the method implements.
type answerer interface {
	answer(ctx context.Context) (*wrapperspb.StringValue, error)
}

func description() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: serviceName,
		HandlerType: (*answerer)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: methodName, Handler: handle}},
	}
}

func handle(server any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // context-as-argument: the order is gRPC's.
	if err := decode(&emptypb.Empty{}); err != nil {
		return nil, err
	}
	return server.(answerer).answer(ctx)
}
