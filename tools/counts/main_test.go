package main

import (
	"strings"
	"testing"
)

func TestCountsTestsAndDeadPackages(t *testing.T) {
	const stream = `{"Action":"start","Package":"a"}
{"Action":"pass","Package":"a","Test":"TestOne"}
{"Action":"pass","Package":"a","Test":"TestOne/sub"}
{"Action":"skip","Package":"a","Test":"TestTwo"}
{"Action":"fail","Package":"a","Test":"TestThree"}
{"Action":"fail","Package":"a"}
{"Action":"fail","Package":"b"}
{"Action":"pass","Package":"c"}
`
	var got counts
	if err := got.add(strings.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	if want := (counts{passed: 2, failed: 2, skipped: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := got.add(strings.NewReader("not JSON\n")); err == nil {
		t.Error("a line that is no event was taken")
	}
}
