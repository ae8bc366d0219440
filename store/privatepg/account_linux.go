package privatepg

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// passCaps are those of our capabilities that let a process enter
// directories closed to its user; nil when we have none.
func passCaps() []uintptr {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil
	}
	// DAC_READ_SEARCH is the lesser right; containers often grant only the other.
	for _, c := range []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE} {
		bit := uint32(1) << c
		if data[0].Permitted&bit != 0 && data[0].Effective&bit != 0 {
			return []uintptr{c}
		}
	}
	return nil
}

func setCaps(attr *syscall.SysProcAttr, caps []uintptr) { attr.AmbientCaps = caps }

// dieWithParent makes the kernel ask the server for a fast shutdown when the
// thread that started it ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
