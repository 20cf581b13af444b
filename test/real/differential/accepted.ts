// Differences that are known, each of one kind and of named fields. Those that stay have their reason here; those that the twin is to lose
// are in test/fixtures/differential/to-be-mended-*.json, which `record.ts --known` writes: that table may only become shorter.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MinorVersion } from '../control-plane/build.ts'
import type { Finding } from './findings.ts'

type Way = Finding['way']

/** Kind → way → reason → fields. */
export type KnownFields = Readonly<Record<string, Partial<Readonly<Record<Way, Readonly<Record<string, readonly string[]>>>>>>>

interface AcceptedRow {
  readonly kind: string
  readonly way: Way
  /** `status.*` is all that is in the status. */
  readonly fields: readonly string[]
  readonly why: string
}

/** The twin stays as it is. */
// biome-ignore format: a table
const accepted: readonly AcceptedRow[] = [
  { kind: 'SelfSubjectReview.authentication.k8s.io/v1', way: 'value', fields: ['status.userInfo.extra'], why: 'who asks within the process shows no certificate' },
  { kind: 'CertificateSigningRequest.certificates.k8s.io/v1', way: 'value', fields: ['spec.extra'], why: 'who asks within the process shows no certificate' },
  { kind: 'CustomResourceDefinition.apiextensions.k8s.io/v1', way: 'value', fields: ['status.*', 'metadata.managedFields.kube-apiserver Update status.*', 'metadata.managedFields.kube-apiserver Update status', 'row.object.metadata.managedFields.kube-apiserver Update status'], why: 'a definition is established in the twin at once, by the server itself' },
  { kind: 'CustomResourceDefinition.apiextensions.k8s.io/v1', way: 'refused', fields: ['(404 NotFound: customresourcedefinitions.apiextensions.k8s.io "…" not found)'], why: 'a real definition goes some time after it was deleted, when the server has taken its finalizer' },
  { kind: 'CustomResourceDefinition.apiextensions.k8s.io/v1', way: 'taken', fields: ['(404 NotFound: customresourcedefinitions.apiextensions.k8s.io "…" not found)'], why: 'a real definition goes some time after it was deleted, when the server has deleted its objects' },
  { kind: 'APIService.apiregistration.k8s.io/v1', way: 'value', fields: ['status.*', 'metadata.managedFields.kube-apiserver Update status.*', 'metadata.managedFields.kube-apiserver Update status'], why: 'when the server looks whether an API is there is its own affair' },
]

/** The table of what the twin is to lose beside a minor version. */
export function knownFile(minor: MinorVersion): string {
  return join(import.meta.dirname, `../../fixtures/differential/to-be-mended-${minor}.json`)
}

/** What the twin is to lose. */
export function toBeMended(minor: MinorVersion): KnownFields {
  return JSON.parse(readFileSync(knownFile(minor), 'utf8')) as KnownFields
}

/** Whether a difference is known, and whether it stays. */
export function standingOf(kind: string, { way, field }: Finding, known: KnownFields): 'accepted' | 'to be mended' | 'open' {
  if (accepted.some(row => row.kind === kind && row.way === way && row.fields.some(name => covers(name, field))))
    return 'accepted'
  return Object.values(known[kind]?.[way] ?? {}).some(fields => fields.includes(field)) ? 'to be mended' : 'open'
}

function covers(name: string, field: string): boolean {
  return name.endsWith('.*') ? field.startsWith(name.slice(0, -1)) : name === field
}

/** How many fields the table has. */
export function fieldsIn(known: KnownFields): number {
  return Object.values(known)
    .flatMap(ways => Object.values(ways))
    .flatMap(byReason => Object.values(byReason))
    .reduce((sum, fields) => sum + fields.length, 0)
}
