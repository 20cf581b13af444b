// What a pod of ours is given to end, and what its process believes: one number. And what our probes ask.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { graceOf, graceVariable } from '../src/process/ending.ts'

const root = join(import.meta.dirname, '..')
/** What Kubernetes grants a pod that says nothing. */
const standardSeconds = 30

interface Container {
  readonly name: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
}

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec?: {
    readonly template?: {
      readonly spec: { readonly terminationGracePeriodSeconds?: number; readonly containers: readonly Container[] }
    }
  }
}

const files = globSync('deploy/{manifests,kustomize}/**/*.yaml', { cwd: root })
const objects = files.flatMap(file =>
  parseAllDocuments(readFileSync(join(root, file), 'utf8')).map((one): Manifest | null => one.toJS()),
)
const pods = objects.flatMap(one => {
  const pod = one?.spec?.template?.spec
  return one === null || pod === undefined ? [] : [{ name: `${one.kind} ${one.metadata.name}`, pod }]
})

test('what a pod is given is what its processes are told, and what they take is less', () => {
  expect(pods.length).toBeGreaterThan(3)
  for (const { name, pod } of pods) {
    const givenSeconds = pod.terminationGracePeriodSeconds ?? standardSeconds
    for (const { name: container, env = [] } of pod.containers) {
      const told = env.find(one => one.name === graceVariable)?.value
      const { atAllMs, inOrderMs, parts } = graceOf(told === undefined ? {} : { [graceVariable]: told })
      expect([name, container, Number(told ?? standardSeconds)]).toEqual([name, container, givenSeconds])
      expect(parts(Number.POSITIVE_INFINITY)).toBeLessThan(inOrderMs)
      expect(inOrderMs).toBeLessThan(atAllMs)
      expect(atAllMs).toBeLessThan(givenSeconds * 1_000)
    }
  }
})
