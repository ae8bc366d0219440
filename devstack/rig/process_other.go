//go:build !linux

package rig

import "syscall"

// dieWithParent: only Linux can; elsewhere a killed test leaves its processes.
func dieWithParent(*syscall.SysProcAttr) {}
