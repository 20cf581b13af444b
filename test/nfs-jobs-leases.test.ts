// Jobs lead by Leases of upstream's names, each for itself; who does not lead any more does nothing; calls that hang hold up nobody else.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { systemRandom } from '#kube/random.ts'
import { startJobs } from '../src/capabilities/nfs/jobs/jobs.ts'
import { standardProvision } from '../src/capabilities/nfs/jobs/provision/settings.ts'
import { allJobs, claim, claims, election, jobsSite, secondJobs } from './nfs-jobs-site.ts'

interface Lease extends KubeObject {
  readonly spec: { readonly holderIdentity?: string }
}

const leases = 'leases.coordination.k8s.io'

test('each job has a Lease of its own, by the name that upstream gives it, and gives it back', async () => {
  await using site = await jobsSite()
  site.start()
  const held = () =>
    site.list<Lease>(leases).map(({ metadata, spec }) => `${metadata.namespace}/${metadata.name} ${spec.holderIdentity ?? ''}`)
  await site.until(() => held().length === 4)
  expect(held().toSorted()).toEqual(
    [
      'external-resizer-nfs-csi-k8s-io',
      'external-snapshotter-leader-nfs-csi-k8s-io',
      'nfs-csi-k8s-io',
      'snapshot-controller-leader',
    ].map(name => `csi-nfs/${name} controller-1_uuid`),
  )
  await site.stop()
  expect(held().filter(line => line.includes('controller-1'))).toEqual([])
})

test('while one leads another stands by, watches nothing, and goes on when the first is gone', async () => {
  await using site = await jobsSite({ objects: [claim('first')] })
  site.start()
  await site.until(() => site.isBound('first'))
  const second = secondJobs(site)
  await site.pass(60_000)
  expect(second.reads().filter(path => !path.includes('/leases/'))).toEqual([])
  expect(second.jobs.checks().map(({ ok, state }) => `${ok} ${state}`)).toEqual(
    Array.from({ length: 4 }, () => 'true it stands by: another one leads'),
  )
  expect(site.driver.count('createVolume')).toBe(1)
  await site.stop()
  await site.create(claims, claim('second'))
  await site.whileStopped(() => site.isBound('second'))
  expect(site.driver.count('createVolume')).toBe(2)
  await second.stop()
})

test('a process that was stopped longer than its Lease sends nothing when it goes on', async () => {
  const config = { provision: standardProvision, election }
  await using site = await jobsSite({ objects: [claim('plex')], config })
  let isHeld = true
  const { promise, resolve } = Promise.withResolvers<void>()
  site.beforeWrite = async write => {
    // The write of the volume waits in the process until another leads.
    if (isHeld && write.endsWith('/persistentvolumes')) await promise
  }
  site.start()
  await site.until(() => site.driver.count('createVolume') === 1 && site.isHolding)
  const second = secondJobs(site, config)
  // The first renews no more, as a process that is stopped.
  site.pauseLeases()
  await site.whileStopped(() => second.leads())
  isHeld = false
  resolve()
  await site.whileStopped(() => site.isBound('plex'))
  expect(site.volumes()).toHaveLength(1)
  // One of two processes wrote it, and it was the second.
  expect(site.effects.filter(effect => effect.includes('persistentvolumes'))).toEqual([])
  expect(site.driver.done).toHaveLength(1)
  await second.stop()
})

test('without Leases a process acts alone', async () => {
  const { election: _, ...alone } = allJobs
  await using site = await jobsSite({ objects: [claim('plex')], config: alone })
  site.start()
  await site.until(() => site.isBound('plex'))
  expect(site.list(leases)).toEqual([])
  expect(site.jobs?.checks().map(({ state }) => state)).toEqual(Array.from({ length: 4 }, () => 'it acts alone'))
})

test('a call that hangs ends by its deadline, and holds up no other claim', async () => {
  await using site = await jobsSite({ objects: [claim('hangs'), claim('other')] })
  const uid = site.claim('hangs')?.metadata.uid
  const { promise, resolve } = Promise.withResolvers<void>()
  site.driver.meanwhile = async (method, moment) => {
    const call = site.driver.calls.at(-1)
    const isHanging =
      method === 'createVolume' && moment === 'before' && (call?.request as { name: string } | undefined)?.name === `pvc-${uid}`
    if (isHanging) await promise
  }
  const registry = new Registry()
  const api = openApi(site.adminTransport(), { clock: systemClock, userAgent: 'jobs' })
  const config = { provision: { ...standardProvision, timeoutMs: 100, retryFirstMs: 20, retryLastMs: 40 } }
  const options = {
    api,
    address: site.driver.address,
    config,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    identity: { instance: 'a' },
  }
  const jobs = startJobs({ ...options, metrics: registry }, new AbortController().signal)
  const volumeOf = (name: string) => site.volumes().find(({ spec }) => spec.claimRef?.name === name)
  // The binder of the twin goes by the virtual clock: it is told to go on.
  const wait = async (holds: () => boolean) => {
    while (!holds()) {
      await site.clock.advance(10)
      await systemClock.after(2)
    }
  }
  await wait(() => volumeOf('other') !== undefined && site.driver.count('createVolume') >= 4)
  expect(volumeOf('hangs')).toBeUndefined()
  resolve()
  await wait(() => volumeOf('hangs') !== undefined)
  const text = await registry.metrics()
  expect(text).toMatch(
    /csi_sidecar_operations_seconds_count\{driver_name="nfs.csi.k8s.io",method_name="\/csi.v1.Controller\/CreateVolume",grpc_status_code="DeadlineExceeded"\} [1-9]/,
  )
  expect(text).toContain(
    'le="0.25",driver_name="nfs.csi.k8s.io",method_name="/csi.v1.Controller/CreateVolume",grpc_status_code="OK"',
  )
  let isOver = false
  const end = Promise.resolve(jobs[Symbol.asyncDispose]()).finally(() => {
    isOver = true
  })
  await wait(() => isOver)
  await end
  await api.close()
})
