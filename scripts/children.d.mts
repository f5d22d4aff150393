import type { ChildProcess } from 'node:child_process'

/** When a process began, in the kernel's ticks; undefined where there is no /proc, or no such process. */
export function startTimeOf(pid: number | string): string | undefined

/** Ends the child when this process ends, however it ends. Returns it. `signal` is what ends it; default SIGKILL. */
export function track<Child extends ChildProcess>(child: Child, signal?: NodeJS.Signals): Child
