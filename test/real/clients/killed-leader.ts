// Two client-go candidates on the twin, in real time; the one that leads is killed and gives nothing back.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import type { Check } from '../check.ts'
import { atEnd } from '../endings.ts'
import { ownClientsPath } from './build.ts'

const leaseMs = 15_000
const retryMs = 2_000
/** client-go waits up to 1.2 times longer than its period, before it sees the last renewal and after the lease is over. */
const longestRetryMs = 2.2 * retryMs

function candidate(program: string, identity: string, kubeconfig: string) {
  const env = { ...process.env, KUBECONFIG: kubeconfig, IDENTITY: identity }
  const child = spawn(program, ['lead'], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  child.on('close', isOver)
  const leads = once(child.stdout, 'data', { signal: AbortSignal.timeout(50_000) }).then(([said]) => {
    if (String(said).trim() !== `leads ${identity}`) throw new Error(`${identity} said ${String(said)}`)
    return systemClock.elapsed()
  })
  // A leader that is not waited for any more has nothing to say.
  leads.catch(() => undefined)
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  return { leads, [Symbol.asyncDispose]: kill, kill }
}

export const killedLeaderCheck: Check = {
  name: 'client-go leader election: a killed holder is followed by the other candidate on the twin',
  async run() {
    const program = await ownClientsPath()
    await using cleanup = new AsyncDisposableStack()
    const directory = mkdtempSync(join(tmpdir(), 'ballast-leader-'))
    cleanup.defer(() => rmSync(directory, { recursive: true, force: true }))
    const twin = cleanup.use(await startTwin({ clock: systemClock, components: false, listen: { port: 0 } }))
    const kubeconfig = join(directory, 'kubeconfig')
    writeFileSync(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
    const first = cleanup.use(candidate(program, 'first', kubeconfig))
    await first.leads
    const second = cleanup.use(candidate(program, 'second', kubeconfig))
    await systemClock.after(3 * retryMs)
    const killedMs = systemClock.elapsed()
    await first.kill()
    const tookMs = (await second.leads) - killedMs
    const lease = twin.access.list('leases.coordination.k8s.io').find(({ metadata }) => metadata.name === 'killed')
    const { holderIdentity, leaseTransitions } = Object(lease?.['spec'])
    if (holderIdentity !== 'second' || leaseTransitions !== 1)
      throw new Error(`held by ${holderIdentity} after ${leaseTransitions} transitions, expected second after 1`)
    const mostMs = leaseMs + 2 * longestRetryMs
    if (tookMs < leaseMs - retryMs - 1_000 || tookMs > mostMs)
      throw new Error(`taken over after ${Math.round(tookMs)} ms, expected at most ${mostMs}`)
    return `taken over after ${(tookMs / 1000).toFixed(1)} s`
  },
}

if (import.meta.main) console.log(await killedLeaderCheck.run())
