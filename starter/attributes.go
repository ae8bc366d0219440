package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"recoup/workflows"
)

// A new attribute is known to the server's frontends only after they refreshed their copy of the namespace, within seconds.
const (
	attributesWait  = 30 * time.Second
	attributesEvery = 100 * time.Millisecond
)

// RegisterSearchAttributes registers the attributes by which operators filter cases and waits until they can be used; those there already
// are kept. An unregistered one would fail every start.
func RegisterSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	want := map[string]enums.IndexedValueType{
		workflows.AttrStage.GetName():        enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.AttrAccount.GetName():      enums.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.AttrNextActionAt.GetName(): enums.INDEXED_VALUE_TYPE_DATETIME,
		workflows.AttrAmountDue.GetName():    enums.INDEXED_VALUE_TYPE_INT,
		workflows.AttrHeld.GetName():         enums.INDEXED_VALUE_TYPE_BOOL,
		workflows.AttrWaitsFor.GetName():     enums.INDEXED_VALUE_TYPE_KEYWORD,
	}
	have, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list search attributes of namespace %s: %w", namespace, err)
	}
	for name := range have.GetCustomAttributes() {
		delete(want, name)
	}
	if len(want) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: want})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("register search attributes: %w", err)
	}
	return waitForAttributes(ctx, c, namespace)
}

// waitForAttributes asks with every attribute in a query until the server knows them all.
func waitForAttributes(ctx context.Context, c client.Client, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, attributesWait)
	defer cancel()
	query := fmt.Sprintf("%s = 'x' and %s = 'x' and %s is null and %s = 0 and %s = true and %s = 'x'", workflows.AttrStage.GetName(),
		workflows.AttrAccount.GetName(), workflows.AttrNextActionAt.GetName(), workflows.AttrAmountDue.GetName(), workflows.AttrHeld.GetName(), workflows.AttrWaitsFor.GetName())
	for {
		_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: query})
		var unknown *serviceerror.InvalidArgument
		if err == nil || !errors.As(err, &unknown) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("search attributes are registered but not usable yet: %w", err)
		case <-time.After(attributesEvery):
		}
	}
}
