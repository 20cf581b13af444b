// Stands in for mount.nfs on kernels that have no NFS: it binds a directory of this machine where the share would be mounted, and
// refuses what the real one refuses. Called mount or umount it writes down that it was called, and has the machine's own program do it.
//
// Beside it lie `.root`, a file that names the folder of the servers, and the machine's own mount and umount as `.real-mount` and `.real-umount`.
// Where one of those two is missing this program does that work itself, as far as shares need it: an image may have nothing else in it.
// In the folder each server is a directory with its exports below it; `.calls` gets a line of JSON as each program begins and ends;
// `.told/<server>.json` says what a server does otherwise, and `.told/umount.json` what umount does.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// told is what a server, or umount, was told to do.
type told struct {
	WaitMs int `json:"waitMs"`
	// Hang goes on until the file is gone or says otherwise. SIGTERM does not end it, as it does not end a process that waits for a server.
	Hang bool `json:"hang"`
	// HangAfter is the same when the work is done, before the program says so by its end.
	HangAfter bool `json:"hangAfter"`
	// Fail is the whole text of the error; empty succeeds.
	Fail string `json:"fail"`
	Code int    `json:"code"`
}

type call struct {
	Program string   `json:"program"`
	Argv    []string `json:"argv,omitempty"`
	Pid     int      `json:"pid"`
	AtMs    int64    `json:"atMs"`
	Code    *int     `json:"code,omitempty"`
}

const (
	pollEvery  = 25 * time.Millisecond
	mountError = 32
	usageError = 1
)

// Options of nfs(5) and those that mount(8) hands on to every helper.
var known = regexp.MustCompile(`^(defaults|rw|ro|suid|nosuid|dev|nodev|exec|noexec|auto|noauto|sync|async|dirsync|remount|atime|noatime|diratime|nodiratime|relatime|norelatime|strictatime|lazytime|user|nouser|users|_netdev|nofail|` +
	`nfsvers|vers|minorversion|soft|softerr|hard|softreval|nosoftreval|intr|nointr|timeo|retrans|rsize|wsize|ac|noac|acregmin|acregmax|acdirmin|acdirmax|actimeo|bg|fg|nconnect|max_connect|trunkdiscovery|notrunkdiscovery|rdirplus|nordirplus|retry|sec|sharecache|nosharecache|resvport|noresvport|lookupcache|fsc|nofsc|sloppy|xprtsec|` +
	`proto|udp|tcp|rdma|port|mountport|mountproto|mounthost|mountvers|namlen|lock|nolock|cto|nocto|acl|noacl|local_lock|clientaddr|migration|nomigration|context|write|addr)$`)

var program = filepath.Base(os.Args[0])

func main() {
	self, err := os.Executable()
	if err != nil {
		fail(usageError, "%s: its own place: %v", program, err)
	}
	place := filepath.Dir(self)
	named, err := os.ReadFile(filepath.Join(place, ".root"))
	if err != nil {
		fail(usageError, "%s: the folder of the servers: %v", program, err)
	}
	root := strings.TrimSpace(string(named))
	note(root, call{Program: program, Argv: os.Args[1:], Pid: os.Getpid(), AtMs: time.Now().UnixMilli()})
	code := run(root, place)
	note(root, call{Program: program, Pid: os.Getpid(), AtMs: time.Now().UnixMilli(), Code: &code})
	os.Exit(code)
}

func run(root string, place string) int {
	switch program {
	case "mount.nfs", "mount.nfs4":
		return mountShare(root, os.Args[1:])
	case "umount":
		if code := obey(root, "umount"); code != 0 {
			return code
		}
		code := own(place, ".real-umount", unmount)
		linger(root, "umount")
		return code
	case "mount":
		return own(place, ".real-mount", func(args []string) int { return mountShare(root, withoutType(args)) })
	}
	return say(usageError, "%s: this program is called mount.nfs, mount or umount", program)
}

// own has the machine's own program do the work where it is there, and else does it.
func own(place string, name string, work func(args []string) int) int {
	path := filepath.Join(place, name)
	if _, err := os.Lstat(path); err == nil {
		return real(path)
	}
	return work(os.Args[1:])
}

func withoutType(args []string) []string {
	if len(args) > 1 && args[0] == "-t" {
		return args[2:]
	}
	return args
}

func unmount(args []string) int {
	flags := 0
	var targets []string
	for _, arg := range args {
		switch arg {
		case "-f":
			flags |= syscall.MNT_FORCE
		case "-l":
			flags |= syscall.MNT_DETACH
		case "-i":
			// No helper is called in any case.
		default:
			targets = append(targets, arg)
		}
	}
	code := 0
	for _, target := range targets {
		if err := syscall.Unmount(target, flags); err != nil {
			code = say(mountError, "umount: %s: %v.", target, err)
		}
	}
	return code
}

// real has the machine's own program do the work, and ends as that does.
func real(path string) int {
	child := exec.Command(path, os.Args[1:]...)
	child.Args[0] = program
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := child.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		if signalled := ended.Sys().(syscall.WaitStatus); signalled.Signaled() {
			return 128 + int(signalled.Signal())
		}
		return ended.ExitCode()
	}
	if err != nil {
		return say(usageError, "%s: %v", program, err)
	}
	return 0
}

func mountShare(root string, args []string) int {
	var names, options []string
	for at := 0; at < len(args); at++ {
		switch {
		case args[at] == "-o" && at+1 < len(args):
			at++
			options = append(options, strings.Split(args[at], ",")...)
		case strings.HasPrefix(args[at], "-"):
			// Flags such as -s, -n, -v and -f change nothing here.
		default:
			names = append(names, args[at])
		}
	}
	if len(names) != 2 {
		return say(usageError, "usage: %s remotetarget dir [-rvVwfnsh] [-o nfsoptions]", program)
	}
	source, target := names[0], names[1]
	server, share, isSource := split(source)
	if !isSource {
		return say(mountError, "mount.nfs: remote share not in 'host:dir' format")
	}
	readonly := false
	for _, option := range options {
		name, _, _ := strings.Cut(option, "=")
		if name == "" {
			continue
		}
		if !known.MatchString(name) {
			return say(mountError, "mount.nfs: an incorrect mount option was specified for %s", target)
		}
		readonly = name == "ro" || (readonly && name != "rw")
	}
	base := filepath.Join(root, server)
	if found, err := os.Lstat(base); err != nil || !found.IsDir() || strings.HasPrefix(server, ".") || strings.Contains(server, "/") {
		return say(mountError, "mount.nfs: Failed to resolve server %s: Name or service not known", server)
	}
	if code := obey(root, server); code != 0 {
		return code
	}
	directory, err := exported(base, share)
	if err != nil {
		return say(mountError, "mount.nfs: mounting %s failed, reason given by server: %s", source, err)
	}
	if err := syscall.Mount(directory, target, "", syscall.MS_BIND, ""); err != nil {
		return say(mountError, "mount.nfs: mount point %s: %v", target, err)
	}
	if readonly {
		if err := syscall.Mount("", target, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			return say(mountError, "mount.nfs: %s cannot be made read-only: %v", target, err)
		}
	}
	linger(root, server)
	return 0
}

// split yields server and share of "server:/share" and "[address]:/share".
func split(source string) (server string, share string, isSource bool) {
	if rest, isBracketed := strings.CutPrefix(source, "["); isBracketed {
		server, share, isSource = strings.Cut(rest, "]:")
		return server, share, isSource && server != ""
	}
	server, share, isSource = strings.Cut(source, ":")
	return server, share, isSource && server != ""
}

// exported walks down from the server's directory. A server does not follow links for its clients.
func exported(base string, share string) (string, error) {
	at := base
	for _, name := range strings.Split(share, "/") {
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			return "", errors.New("Permission denied")
		}
		at = filepath.Join(at, name)
		found, err := os.Lstat(at)
		if err != nil {
			return "", errors.New("No such file or directory")
		}
		if !found.IsDir() {
			return "", errors.New("Not a directory")
		}
	}
	return at, nil
}

// obey does what the server was told, and yields the code to end with, or 0 to go on.
func obey(root string, name string) int {
	file := filepath.Join(root, ".told", name+".json")
	wanted := read(file)
	if wanted.WaitMs > 0 {
		time.Sleep(time.Duration(wanted.WaitMs) * time.Millisecond)
	}
	if wanted.Hang {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		for wanted.Hang {
			time.Sleep(pollEvery)
			wanted = read(file)
		}
	}
	if wanted.Fail == "" {
		return 0
	}
	if wanted.Code == 0 {
		wanted.Code = mountError
	}
	return say(wanted.Code, "%s", wanted.Fail)
}

// linger waits as long as the server was told to hang afterwards.
func linger(root string, name string) {
	file := filepath.Join(root, ".told", name+".json")
	for read(file).HangAfter {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		time.Sleep(pollEvery)
	}
}

// read yields nothing to do where nothing was told.
func read(file string) (wanted told) {
	text, err := os.ReadFile(file)
	if err != nil {
		return told{}
	}
	if err := json.Unmarshal(text, &wanted); err != nil {
		fail(usageError, "%s: %s: %v", program, file, err)
	}
	return wanted
}

// note appends one line: lines this short are written whole, however many write at once.
func note(root string, one call) {
	line, err := json.Marshal(one)
	if err != nil {
		fail(usageError, "%s: %v", program, err)
	}
	file, err := os.OpenFile(filepath.Join(root, ".calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fail(usageError, "%s: %v", program, err)
	}
	defer file.Close()
	if _, err := file.Write(append(line, '\n')); err != nil {
		fail(usageError, "%s: %v", program, err)
	}
}

func say(code int, format string, values ...any) int {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	return code
}

func fail(code int, format string, values ...any) {
	os.Exit(say(code, format, values...))
}
