// What is wrong with the values of NFS beyond their form: places in the pods that are taken, and an update that would run two drivers on a node.

import { posix } from 'node:path'
import { type Values, valueAt } from '#deployment/names.ts'
import type { Problem } from '#kube/problem.ts'

/** What the pod has there already; `/tmp` it may share. */
const takenPlaces: ReadonlySet<string> = new Set(['/', '/csi', '/etc/ballast', '/run'])

/** Problems of whole values; none where it is off. `where` names the values. */
export function nfsProblems(values: Values, where: string): readonly Problem[] {
  if (valueAt(values, 'capabilities.nfs.enabled') !== true) return []
  return [...folderProblems(values, where), ...surgeProblems(values, where)]
}

function folderProblems(values: Values, where: string): readonly Problem[] {
  const key = 'capabilities.nfs.controller.workingMountDir'
  const folder = String(valueAt(values, key))
  const plain = posix.resolve('/', folder)
  if (folder === plain && !takenPlaces.has(plain)) return []
  const expected = takenPlaces.has(plain)
    ? 'a folder that the pod has not already, such as "/tmp"'
    : `the path without detours: "${plain}"`
  return [{ code: 'values-nfs', where: `${where}: ${key}`, found: folder, expected }]
}

function surgeProblems(values: Values, where: string): readonly Problem[] {
  const key = 'nfs.node.updateStrategy.rollingUpdate.maxSurge'
  const surge = valueAt(values, key)
  if (surge === undefined || surge === null || /^0+%?$/.test(String(surge))) return []
  return [
    {
      code: 'values-nfs',
      where: `${where}: ${key}`,
      found: String(surge),
      expected: '0, and maxUnavailable instead: two drivers of one node would take one socket',
    },
  ]
}
