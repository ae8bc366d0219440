package main

import (
	"reflect"
	"testing"
)

func TestEveryVariableHasAMeaning(t *testing.T) {
	listed := map[string]bool{}
	all := append([]variable(nil), temporalVariables...)
	for _, s := range configSections() {
		all = append(all, variables(reflect.TypeOf(s.config))...)
	}
	for _, v := range all {
		if listed[v.name] = true; meanings[v.name] == "" {
			t.Errorf("%s has no meaning in recoup config", v.name)
		}
	}
	for name := range meanings {
		if !listed[name] {
			t.Errorf("%s has a meaning but nothing reads it", name)
		}
	}
}
