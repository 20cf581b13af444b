// Runs before each test file: notes what CPU the file spent, for the reporter beside.
import { afterAll } from 'vitest'
import { childrenCpuMs, ownCpuMs } from './spent.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** CPU of the file, its worker's start and its child processes, in milliseconds. */
    cpuMs?: number
  }
}

const spentMs = () => ownCpuMs() + (childrenCpuMs() ?? 0)
// A worker of its own has done nothing else: its start belongs to the file.
const isFirst = !('ballastMeasured' in globalThis)
Object.assign(globalThis, { ballastMeasured: true })
const beganMs = isFirst ? 0 : spentMs()

// biome-ignore lint/correctness/noEmptyPattern: Vitest insists on it where a hook wants its second argument
afterAll(({}, { file }) => {
  file.meta.cpuMs = spentMs() - beganMs
})
