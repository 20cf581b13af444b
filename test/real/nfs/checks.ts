// NFS: drivers before a stand-in for mount.nfs, a real server with a client in user space, and a guest whose kernel knows NFS.

import { deepStrictEqual, strictEqual } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { claimScenarios } from '../../nfs-claim-scenarios.ts'
import { type ClaimOutcome, type ClaimScenario, comparableOutcome } from '../../nfs-claims.ts'
import { callCount, driverCases } from '../../nfs-driver-cases.ts'
import type { CaseAnswers } from '../../nfs-player.ts'
import type { Check } from '../check.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { playClaims } from './claim-outcomes.ts'
import { startClaimsSite, startUpstreamSidecars } from './claims-site.ts'
import { answersTo } from './driver-answers.ts'
import { upstreamDriver } from './driver-process.ts'
import { startNfsServer } from './ganesha.ts'
import { byOurs, byUpstream, plainMounts, throughDriver, troubledServer } from './guest/checks.ts'
import { listByLibnfs, readByLibnfs, writeByLibnfs } from './libnfs.ts'
import { mountsAsUpstream, ourConformance, ourDriver, ourWholeConformance } from './our-driver.ts'
import { conformance, toldCounts } from './sanity.ts'
import { sweptFolders } from './swept.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'nfs')

/** What upstream's driver is known to fail; a change here is one of upstream's, or of the stand-in. */
const knownFailures = [
  'should fail when volume with single node single writer access mode is already mounted at a different target path',
  'should fail when the requested volume does not exist',
]

async function upstreamConformance(): Promise<string> {
  const counts = await conformance(await upstreamDriver())
  const unknown = counts.failed.filter(({ name }) => !knownFailures.some(known => name.endsWith(known)))
  deepStrictEqual(unknown, [])
  strictEqual(counts.failed.length, knownFailures.length)
  return `${toldCounts(counts)}; ${upstreamVersion('csi-driver-nfs')}`
}

/** Each has a site and a driver of its own, and mostly waits for them. */
const casesAtOnce = 4

/** Recorded answers are still upstream's, and the stand-in the one that they were recorded with. */
async function recordedAnswers(): Promise<string> {
  const { cases }: { readonly cases: readonly CaseAnswers[] } = JSON.parse(
    readFileSync(join(fixtures, 'driver-answers.json'), 'utf8'),
  )
  const command = await upstreamDriver()
  const asked = driverCases.filter(({ isSlow }) => isSlow !== true)
  const left = [...asked]
  await Promise.all(
    Array.from({ length: casesAtOnce }, async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) {
        const { name } = one
        const recorded = cases.find(known => known.name === name)
        deepStrictEqual(JSON.parse(JSON.stringify(await answersTo(command, one))), recorded, name)
      }
    }),
  )
  return `${asked.reduce((sum, { steps }) => sum + callCount(steps), 0)} calls in ${asked.length} cases answered as recorded`
}

/** Four programs of upstream's race for some objects: what came out otherwise beside the others is played once more alone. */
async function recordedClaims(): Promise<string> {
  const { outcomes: recorded }: { readonly outcomes: readonly ClaimOutcome[] } = JSON.parse(
    readFileSync(join(fixtures, 'claims.json'), 'utf8'),
  )
  const before = new Map(recorded.map(one => [one.name, comparableOutcome(one)]))
  const differing = async (scenarios: readonly ClaimScenario[]) => {
    await using site = await startClaimsSite()
    await using _sidecars = await startUpstreamSidecars(site)
    const outcomes = await playClaims(site, scenarios)
    return outcomes.map(comparableOutcome).filter(one => !isDeepStrictEqual(one, before.get(one.name)))
  }
  const raced = new Set((await differing(claimScenarios)).map(({ name }) => name))
  const again = raced.size === 0 ? [] : await differing(claimScenarios.filter(({ name }) => raced.has(name)))
  const [first] = again
  if (first !== undefined)
    deepStrictEqual(first, before.get(first.name), `scenarios that differ: ${again.map(({ name }) => name).join(', ')}`)
  const once = raced.size === 0 ? '' : `, at the second time: ${[...raced].join(', ')}`
  return `${claimScenarios.length} scenarios came to what was recorded${once}`
}

/** Ours keeps a share mounted for a while, so that a server which refuses to mount is not noticed where a call before has mounted it. */
const ofEachMount = ['clone-source-deleted', 'snapshot-deletion-server-down']

/** What a driver words in its own way is left out: its texts, archives, and the rights of the share itself. */
function withoutWords(outcome: ClaimOutcome) {
  const { objects, events, exports } = comparableOutcome(outcome)
  const silent = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(silent)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).flatMap(([key, one]) => (key === 'message' ? [] : [[key, silent(one)]])))
  }
  return {
    objects: silent(objects),
    events: [...new Set(events.map(({ type, reason, regarding }) => `${type} ${reason} ${regarding}`))],
    exports: exports.filter(line => !line.includes('.tar.gz') && !/^folder \d+ kubernetes$/.test(line)),
  }
}

async function claimsOfOurDriver(): Promise<string> {
  const { outcomes: recorded }: { readonly outcomes: readonly ClaimOutcome[] } = JSON.parse(
    readFileSync(join(fixtures, 'claims.json'), 'utf8'),
  )
  const before = new Map(recorded.map(one => [one.name, withoutWords(one)]))
  const scenarios = claimScenarios.filter(({ name }) => !ofEachMount.includes(name))
  await using site = await startClaimsSite(ourDriver)
  await using _sidecars = await startUpstreamSidecars(site)
  const outcomes = await playClaims(site, scenarios)
  const differing = outcomes.filter(one => !isDeepStrictEqual(withoutWords(one), before.get(one.name)))
  const [first] = differing
  if (first !== undefined)
    deepStrictEqual(
      withoutWords(first),
      before.get(first.name),
      `scenarios that differ: ${differing.map(({ name }) => name).join(', ')}`,
    )
  return `${outcomes.length} scenarios came to what they come to with upstream's driver`
}

async function serverAndClient(): Promise<string> {
  await using server = await startNfsServer([{ path: '/kubernetes' }, { path: '/closed', access: 'RO' }])
  const directory = mkdtempSync(join(tmpdir(), 'bnfs-files-'))
  try {
    const file = join(directory, 'file')
    writeFileSync(file, 'written by libnfs\n')
    await writeByLibnfs(server, file, '/kubernetes/file')
    deepStrictEqual(await listByLibnfs(server, '/kubernetes'), ['file'])
    strictEqual(readFileSync(join(server.folder('/kubernetes'), 'file'), 'utf8'), 'written by libnfs\n')
    await server.restart()
    strictEqual(await readByLibnfs(server, '/kubernetes/file'), 'written by libnfs\n')
    const refused = await writeByLibnfs(server, file, '/closed/file').then(() => 'written', String)
    if (!refused.includes('ROFS')) throw new Error(`a read-only export: ${refused}`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return 'nfs-ganesha on loopback, written, listed and read by libnfs, over a restart; a read-only export refuses'
}

export const nfsChecks: readonly Check[] = [
  { name: "nfs: csi-sanity on upstream's driver", run: upstreamConformance },
  { name: 'nfs: csi-sanity on our driver', run: ourConformance },
  { name: 'nfs: csi-sanity on our driver, which lists', run: ourWholeConformance },
  { name: 'nfs: our driver as a process mounts as upstream does', run: mountsAsUpstream },
  { name: "nfs: upstream's driver answers as recorded", run: recordedAnswers },
  { name: "nfs: claims by upstream's sidecars come to what was recorded", run: recordedClaims },
  { name: "nfs: claims by upstream's sidecars and our driver", run: claimsOfOurDriver },
  { name: 'nfs: folders that belong to nobody are swept on a real control plane', run: sweptFolders },
  { name: 'nfs: a real server, a client in user space', run: serverAndClient },
  { name: 'nfs: mounts of a kernel that knows NFS', run: plainMounts },
  { name: "nfs: volumes of that kernel, through upstream's driver", run: byUpstream(throughDriver) },
  { name: 'nfs: volumes of that kernel, through our driver', run: byOurs(throughDriver) },
  { name: 'nfs: a server in trouble, our driver', run: byOurs(troubledServer) },
  { name: "nfs: a server in trouble, upstream's driver", run: byUpstream(troubledServer) },
]
