// Judges objects as GitOps tools do, by the tools' own code: kstatus, the Lua machine of Argo CD, and the expressions of
// Flux's kustomize-controller.
//
// It reads {"script", "expressions", "objects"} from standard input, and prints one verdict an object, as one JSON array.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type request struct {
	Script      string                            `json:"script"`
	Expressions *kustomize.HealthCheckExpressions `json:"expressions"`
	Objects     []unstructured.Unstructured       `json:"objects"`
}

type verdict struct {
	Kstatus string `json:"kstatus"`
	Flux    string `json:"flux"`
	Argo    health `json:"argo"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run() error {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return fmt.Errorf("the request cannot be read: %w", err)
	}
	flux, err := cel.NewStatusEvaluator(asked.Expressions)
	if err != nil {
		return err
	}
	verdicts := make([]verdict, 0, len(asked.Objects))
	for _, object := range asked.Objects {
		verdict, err := judge(&object, asked.Script, flux)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		verdicts = append(verdicts, verdict)
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func judge(object *unstructured.Unstructured, script string, flux *cel.StatusEvaluator) (verdict, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return verdict{}, fmt.Errorf("kstatus: %w", err)
	}
	evaluated, err := flux.Evaluate(context.Background(), object)
	if err != nil {
		return verdict{}, fmt.Errorf("Flux: %w", err)
	}
	argo, err := argoHealth(object.Object, script)
	if err != nil {
		return verdict{}, fmt.Errorf("Argo CD: %w", err)
	}
	return verdict{Kstatus: computed.Status.String(), Flux: evaluated.Status.String(), Argo: argo}, nil
}

// As argo-cd/util/lua runs a script of argocd-cm, with fewer libraries: what passes here needs none of the others.
func argoHealth(object map[string]any, script string) (health, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	base := lua.P{Fn: state.NewFunction(lua.OpenBase), Protect: true}
	if err := state.CallByParam(base, lua.LString(lua.BaseLibName)); err != nil {
		return health{}, err
	}
	state.SetGlobal("obj", luaValue(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("the script returned a %s and no table", state.Get(-1).Type())
	}
	return health{Status: lua.LVAsString(result.RawGetString("status")), Message: lua.LVAsString(result.RawGetString("message"))}, nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(luaValue(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, luaValue(state, item))
		}
		return table
	}
	return lua.LNil
}
