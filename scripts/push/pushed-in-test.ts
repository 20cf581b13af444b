// A small release pushed into a small registry, for tests.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Credentials } from './credentials.ts'
import { pushRelease } from './push-release.ts'
import { RegistryConnection } from './registry-connection.ts'
import { readSigningKey } from './signing-key.ts'
import type { SmallRegistry } from './small-registry.ts'
import { smallRelease } from './small-release.ts'
import { targetOf } from './target.ts'

export const folder = mkdtempSync(join(tmpdir(), 'ballast-push-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
await smallRelease(folder)
const key = readSigningKey(join(import.meta.dirname, 'testdata', 'cosign-3.1.1.key'), 'ballast-test')

interface Words {
  readonly credentials?: Credentials
  readonly from?: string
  readonly replacesTags?: boolean
  /** Whether what fails is tried again. */
  readonly isPatient?: boolean
  readonly waited?: number[]
}

export function push(
  { origin }: SmallRegistry,
  { credentials, from = folder, replacesTags = false, isPatient = true, waited = [] }: Words = {},
) {
  const wait = (ms: number) => {
    waited.push(ms)
    return isPatient ? Promise.resolve() : Promise.reject(new Error('killed'))
  }
  const connection = new RegistryConnection({ origin, credentials, wait, say: () => undefined })
  const target = { ...targetOf('oci://registry.example/team', true), origin }
  return pushRelease({ folder: from, target, connection, key, replacesTags, say: () => undefined })
}

/** What people find: the signatures' own bytes differ each time, so they are counted. */
export function found({ manifests, blobs }: SmallRegistry) {
  const tags = [...manifests].filter(([name]) => !name.includes('@'))
  return {
    tags: tags
      .map(
        ([name, content]) =>
          `${name} ${JSON.parse(content.toString()).layers?.length ?? JSON.parse(content.toString()).manifests.length}`,
      )
      .toSorted(),
    bundles: [...blobs.values()].filter(content => content.includes('dsseEnvelope')).length,
  }
}

export const imageTag = 'team/ballast:1.2.3'
export const chartTag = 'team/charts/ballast:1.2.3'
