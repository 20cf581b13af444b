// NFS: drivers before a stand-in for mount.nfs, a real server with a client in user space, and a guest whose kernel knows NFS.

import { deepStrictEqual, strictEqual } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callCount, driverCases } from '../../nfs-driver-cases.ts'
import type { CaseAnswers } from '../../nfs-player.ts'
import type { Check } from '../check.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import {
  attributesOfOurController,
  attributesOfOurJobs,
  claimsOfOurController,
  claimsOfOurDriver,
  claimsOfOurJobs,
  recordedAttributes,
  recordedClaims,
} from './claims.ts'
import { answersTo } from './driver-answers.ts'
import { upstreamDriver } from './driver-process.ts'
import { startNfsServer } from './ganesha.ts'
import { byOurs, byUpstream, plainMounts, throughDriver, troubledServer } from './guest/checks.ts'
import { recordsOnShares } from './guest/records.ts'
import { restartedDriver } from './guest/restarts.ts'
import { helperIsToldTheSame } from './helper-arguments.ts'
import { listByLibnfs, readByLibnfs, writeByLibnfs } from './libnfs.ts'
import { manyClaims } from './many-claims.ts'
import { attachedVolumes } from './on-kubelet/attached.ts'
import { podsWithVolumes } from './on-kubelet/flow.ts'
import { restartsWithVolumes } from './on-kubelet/restarts.ts'
import { stagedVolumes } from './on-kubelet/staged.ts'
import { driverIsSwapped } from './on-kubelet/swap.ts'
import { mountsAsUpstream, ourConformance, ourWholeConformance } from './our-driver.ts'
import { conformance, toldCounts } from './sanity.ts'
import { sweptFolders } from './swept.ts'
import { takeovers } from './takeovers.ts'
import { usageOfVolumes } from './usage.ts'

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
  { name: 'nfs: csi-sanity on our driver, which does all that it can be told to', run: ourWholeConformance },
  { name: 'nfs: our driver as a process mounts as upstream does', run: mountsAsUpstream },
  { name: "nfs: upstream's driver answers as recorded", run: recordedAnswers },
  { name: "nfs: claims by upstream's sidecars come to what was recorded", run: recordedClaims },
  { name: "nfs: claims by upstream's sidecars and our driver", run: claimsOfOurDriver },
  { name: "nfs: claims by our jobs and upstream's driver", run: claimsOfOurJobs },
  { name: 'nfs: claims by our controller as it is installed', run: claimsOfOurController },
  {
    name: "nfs: VolumeAttributesClasses by upstream's sidecars and our driver come to what was recorded",
    run: recordedAttributes,
  },
  { name: 'nfs: VolumeAttributesClasses by our jobs and our driver', run: attributesOfOurJobs },
  { name: 'nfs: VolumeAttributesClasses by our controller as it is installed', run: attributesOfOurController },
  { name: "nfs: upstream's sidecars and ours take over from each other", run: takeovers },
  { name: 'nfs: how much volumes use, as they fill and are emptied', run: usageOfVolumes },
  { name: 'nfs: 500 claims at once', run: manyClaims, alone: true },
  { name: 'nfs: folders that belong to nobody are swept on a real control plane', run: sweptFolders },
  { name: 'nfs: a real server, a client in user space', run: serverAndClient },
  { name: 'nfs: mount.nfs is told what mount tells it', run: helperIsToldTheSame },
  { name: 'nfs: mounts of a kernel that knows NFS', run: plainMounts },
  { name: "nfs: volumes of that kernel, through upstream's driver", run: byUpstream(throughDriver) },
  { name: 'nfs: volumes of that kernel, through our driver', run: byOurs(throughDriver) },
  {
    name: 'nfs: what our driver writes down on shares of that kernel: groups of snapshots, nodes of volumes',
    run: byOurs(recordsOnShares),
  },
  { name: 'nfs: a server in trouble, our driver', run: byOurs(troubledServer) },
  { name: "nfs: a server in trouble, upstream's driver", run: byUpstream(troubledServer) },
  { name: 'nfs: our driver killed below volumes of that kernel, and a server that stands still', run: byOurs(restartedDriver) },
  { name: 'nfs: pods write and read volumes on real kubelets', alone: true, run: podsWithVolumes },
  { name: 'nfs: a kubelet and the node part end and come again below volumes', alone: true, run: restartsWithVolumes },
  { name: 'nfs: a volume for one node on real kubelets, and one that grows', alone: true, run: attachedVolumes },
  { name: 'nfs: volumes mounted once a node on a real kubelet', alone: true, run: stagedVolumes },
  { name: 'nfs: csi-driver-nfs to Ballast node by node below volumes, and back', alone: true, run: driverIsSwapped },
]
