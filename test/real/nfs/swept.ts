// Folders that belong to nobody, swept on a real control plane: `ballast nfs sweep` makes volumes that are released, kube-controller-manager sees that their claims are
// not there, and upstream's provisioner deletes them with our driver. The report is written by hand, as the controller writes it.

import { deepStrictEqual } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nfsInventoryName } from '#coordination/shown-notes.ts'
import { notLookedAt } from '../../../src/capabilities/nfs/inventory/inventory.ts'
import { reportLabel, reportText } from '../../../src/capabilities/nfs/inventory/report.ts'
import { sidecarNamespace, startClaimsSite } from './claims-site.ts'
import { ourDriver } from './our-driver.ts'
import { startSidecars, upstreamSidecars } from './sidecars.ts'

const uid = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-${digit.repeat(12)}`
const limitMs = 150_000

export async function sweptFolders(): Promise<string> {
  await using site = await startClaimsSite(ourDriver)
  await using _sidecars = await startSidecars(site, await upstreamSidecars())
  const share = site.nfs.addShare('candlekeep', 'kubernetes')
  const [one, two, kept] = [`pvc-${uid('1')}`, `archived-pvc-${uid('2')}`, `pvc-${uid('3')}`]
  for (const folder of [one, two, kept, 'backups']) {
    mkdirSync(join(share, folder))
    writeFileSync(join(share, folder, 'file'), 'content')
  }
  const id = (folder: string) => `candlekeep#kubernetes#${folder}##`
  const loose = (folder: string) => ({ count: 1, first: [{ id: id(folder), changedMs: 0 }] })
  const { problem: _, ...nothing } = notLookedAt({ server: 'candlekeep', share: 'kubernetes' }, '')
  const shares = [{ ...nothing, orphans: loose(one), archived: loose(two) }]
  const map = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: nfsInventoryName, namespace: sidecarNamespace, labels: { [reportLabel]: 'true' } },
    data: { 'inventory.json': reportText({ driver: 'nfs.csi.k8s.io', atMs: Date.now(), shares }) },
  }
  await site.plane.client.want('POST', `/api/v1/namespaces/${sidecarNamespace}/configmaps`, map)
  const [program, main = ''] = ourDriver
  const sweep = (...words: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(
      program,
      [main, 'nfs', 'sweep', '--kubeconfig', site.plane.kubeconfig, ...words],
      {
        encoding: 'utf8',
        timeout: limitMs,
      },
    )
    return { status, text: `${stdout}${stderr}` }
  }
  const refused = sweep(id(kept), '--delete', '--yes')
  deepStrictEqual([refused.status, refused.text.includes('refused: the controller has not told of it')], [3, true], refused.text)
  const archived = sweep(id(one), '--yes')
  deepStrictEqual([archived.status, archived.text], [0, `${id(one)}: archived\n`])
  const deleted = sweep(id(two), '--delete', '--yes')
  deepStrictEqual([deleted.status, deleted.text], [0, `${id(two)}: deleted\n`])
  deepStrictEqual(readdirSync(share).toSorted(), [`archived-${one}`, 'backups', kept])
  return 'a folder archived and an archive deleted by volumes that kube-controller-manager released; others refused, and untouched'
}
