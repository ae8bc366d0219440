//go:build !linux

package privatepg

import "syscall"

func passCaps() []uintptr { return nil }

func setCaps(*syscall.SysProcAttr, []uintptr) {}

// dieWithParent has no counterpart here: the next Start stops what a killed
// process left behind.
func dieWithParent(*syscall.SysProcAttr) {}
