// `kubectl top` on a cluster of two kubelets, asked over and over: how long it was away.
import { systemClock } from '#kube/clock.ts'
import type { KubeletCluster } from '../kubelet/cluster.ts'
import { limitMs } from '../kubelet/pods.ts'
import { until } from '../mirror/laboratory/program.ts'

/** What kubectl printed. @throws Error with what it complained of */
export async function want({ kubectl }: KubeletCluster, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await kubectl(...args)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Whether `kubectl top nodes` has a figure of n1 and of n2. */
export async function knowsBoth({ kubectl }: KubeletCluster): Promise<boolean> {
  const { code, stdout } = await kubectl('top', 'nodes')
  return code === 0 && ['n1', 'n2'].every(name => new RegExp(`^${name}\\s+\\d+m`, 'm').test(stdout))
}

/** Asks `kubectl top nodes` over and over, as an impatient user does. */
export function watchTop(cluster: KubeletCluster) {
  const stop = new AbortController()
  let goodMs = systemClock.elapsed()
  let longestMs = 0
  let count = 0
  const running = (async () => {
    while (!stop.signal.aborted) {
      if (await knowsBoth(cluster)) {
        const nowMs = systemClock.elapsed()
        longestMs = Math.max(longestMs, nowMs - goodMs)
        goodMs = nowMs
        count++
      }
      await systemClock.after(250)
    }
  })()
  // Told by whoever stops it.
  running.catch(() => undefined)
  return {
    /** The longest time between two answers so far, in milliseconds. */
    longestMs: () => Math.max(longestMs, systemClock.elapsed() - goodMs),
    /** Begins to look for it anew. */
    forget() {
      longestMs = 0
    },
    /** Resolves after so many more answers. */
    async again(times: number) {
      const before = count
      await until(`kubectl top knows both nodes ${times} times`, () => count >= before + times, limitMs, 100)
    },
    async stop() {
      stop.abort()
      await running
    },
  }
}
