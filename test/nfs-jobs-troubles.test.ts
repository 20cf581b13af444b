// A share of test/nfs-jobs-troubles.deep.test.ts: the jobs of CSI's sidecars while their API server errs.
import { expect, test } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { contents, type Snapshot, snapshotClasses, snapshots } from '../src/capabilities/nfs/jobs/snapshot/snapshot-kinds.ts'
import { scenarios } from './nfs-jobs-scenarios.ts'
import { allJobs, claim, claims, jobsSite, snapshot, snapshotClass } from './nfs-jobs-site.ts'
import { nameOf, outcomeOf, runsOf } from './nfs-jobs-troubles.ts'

/** Drawn anew with each change of it. */
const random = seededRandom(24)

test.each(scenarios.map(scenario => [scenario.name, scenario] as const))(
  '%s, under a trouble that is drawn',
  async (_name, scenario) => {
    const runs = await runsOf(scenario)
    const run = runs[Math.floor(random() * runs.length)]
    if (run === undefined) throw new RangeError('a scenario makes requests')
    expect([nameOf(run), ...(await outcomeOf(scenario, run)).wrong]).toEqual([nameOf(run)])
  },
)

test('objects that are nothing like what their kind is stop themselves alone', async () => {
  const { election: _, ...config } = allJobs
  await using site = await jobsSite({ config, objects: [claim('plex'), snapshotClass] })
  site.start()
  await site.until(() => site.isBound('plex'))
  const secret = 'csi.storage.k8s.io/snapshotter-secret-name'
  for (const [index, odd] of [5, null, ['a'], { a: 'b' }, true, 'x'.repeat(5_000)].entries()) {
    for (const [at, parameters] of [odd, { server: odd }, { [secret]: odd }].entries()) {
      const name = `odd-${index}-${at}`
      await site.create(snapshotClasses, { ...snapshotClass, metadata: { name }, parameters })
      await site.create(
        snapshots,
        snapshot(name, { source: { persistentVolumeClaimName: 'plex' }, volumeSnapshotClassName: name }),
      )
    }
    const specs = [
      odd,
      { source: odd },
      { source: { persistentVolumeClaimName: odd } },
      { source: { volumeSnapshotContentName: odd } },
    ]
    for (const [at, spec] of specs.entries()) await site.create(snapshots, { ...snapshot(`spec-${index}-${at}`, {}), spec })
    const whole = {
      driver: 'nfs.csi.k8s.io',
      deletionPolicy: 'Delete',
      source: { volumeHandle: 'a' },
      volumeSnapshotRef: { name: 'x', namespace: 'media' },
    }
    for (const key of Object.keys(whole))
      await site.create(contents, {
        apiVersion: 'snapshot.storage.k8s.io/v1',
        kind: 'VolumeSnapshotContent',
        metadata: { name: `content-${index}-${key.toLowerCase()}` },
        spec: { ...whole, [key]: odd },
      })
  }
  await site.create(snapshots, snapshot('good', { source: { persistentVolumeClaimName: 'plex' } }))
  await site.create(claims, claim('later'))
  const isReady = () =>
    site.list<Snapshot>(snapshots).find(({ metadata }) => metadata.name === 'good')?.status?.readyToUse === true
  await site.until(() => isReady() && site.isBound('later'))
  await site.pass(300_000)
  expect(site.jobs?.checks().filter(({ ok }) => !ok)).toEqual([])
  // What a log says of one names it.
  expect(site.errors.filter(line => !/"object":"(media\/(odd|spec)|content)-/.test(line))).toEqual([])
})
