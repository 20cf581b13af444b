// Label and field selectors of lists and watches as one predicate.

import type { KubeObject } from '#kube/objects.ts'
import { everything, parseLabelSelector, type Selector } from '#kube/selector.ts'
import { badRequest } from '#kube/status.ts'
import { textsAt, valueAt } from '../json-value.ts'
import type { ResourceType } from './resource-type.ts'

export interface Selection {
  matches(object: KubeObject): boolean
  /** Whether anything is left out: with selectors, lists do not say how many items remain. */
  readonly isAll: boolean
}

interface FieldRequirement {
  readonly path: readonly string[]
  readonly isEqual: boolean
  readonly value: string
}

/** @throws StatusError 400 for a selector that does not parse or names a field this kind cannot be selected by. */
export function selectionOf(type: ResourceType, labels: string, fields: string): Selection {
  const selector = labels === '' ? everything : labelSelector(labels)
  const requirements = fieldRequirements(type, fields)
  return {
    isAll: labels === '' && requirements.length === 0,
    matches: object =>
      (selector === everything || selector.matches(textsAt(object, 'metadata', 'labels'))) &&
      requirements.every(({ path, isEqual, value }) => (fieldText(object, path) === value) === isEqual),
  }
}

function labelSelector(text: string): Selector {
  const parsed = parseLabelSelector(text)
  if (!parsed.ok) throw badRequest(reasonOf(parsed.problem.expected))
  return parsed.value
}

/** The server's own words, which a problem has in brackets behind what was expected. */
function reasonOf(expected: string): string {
  return /\((.*)\)$/s.exec(expected)?.[1] ?? expected
}

function fieldText(object: KubeObject, path: readonly string[]): string {
  const value = valueAt(object, ...path)
  if (value === undefined || value === null)
    return path.at(-1) === 'unschedulable' || path.at(-1) === 'hostNetwork' ? 'false' : ''
  return String(value)
}

const eventFields = (reference: string) =>
  ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(field => `${reference}.${field}`)

/** Fields besides metadata.name and metadata.namespace by which objects can be selected. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  nodes: ['spec.unschedulable'],
  namespaces: ['status.phase'],
  secrets: ['type'],
  services: ['spec.clusterIP', 'spec.type'],
  replicationcontrollers: ['status.replicas'],
  'replicasets.apps': ['status.replicas'],
  'jobs.batch': ['status.successful'],
  'certificatesigningrequests.certificates.k8s.io': ['spec.signerName'],
  events: [
    ...eventFields('involvedObject'),
    ...eventFields('regarding'),
    'reason',
    'reportingComponent',
    'reportingController',
    'source',
    'type',
  ],
}

/** Where a selectable field lies when that is not its name. */
const paths: Readonly<Record<string, readonly string[]>> = {
  source: ['source', 'component'],
  'status.successful': ['status', 'succeeded'],
}

function fieldRequirements(type: ResourceType, text: string): readonly FieldRequirement[] {
  if (text.trim() === '') return []
  return splitTerms(text).map(term => {
    const match = /^([^=!]+)(==|!=|=)(.*)$/s.exec(term)
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`)
    const [, name = '', operator = '', value = ''] = match
    return {
      path: pathOf(type, name === 'spec.host' ? 'spec.nodeName' : name.trim()),
      isEqual: operator !== '!=',
      value: unescaped(value),
    }
  })
}

/** Terms are parted by commas; a backslash takes the next character as it is. */
function splitTerms(text: string): readonly string[] {
  const terms: string[] = []
  let term = ''
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? ''
    if (character === '\\') term += character + (text[++index] ?? '')
    else if (character === ',') {
      terms.push(term)
      term = ''
    } else term += character
  }
  return [...terms, term].filter(part => part !== '')
}

function unescaped(value: string): string {
  return value.replaceAll(/\\(.)/gs, '$1')
}

function pathOf(type: ResourceType, field: string): readonly string[] {
  const own = selectableFields[type.key]
  const known =
    field === 'metadata.name' || (field === 'metadata.namespace' && type.isNamespaced) || own?.includes(field) === true
  if (known || type.custom?.selectableFields.includes(`.${field}`) === true) {
    // Events are stored as the core kind has them.
    const stored =
      type.key === 'events'
        ? field.replace(/^regarding\./, 'involvedObject.').replace('reportingController', 'reportingComponent')
        : field
    return paths[stored] ?? stored.split('.')
  }
  if (own !== undefined || type.custom !== undefined) throw badRequest(`field label not supported: ${field}`)
  const names = type.isNamespaced ? '"metadata.name", "metadata.namespace"' : '"metadata.name"'
  throw badRequest(`${JSON.stringify(field)} is not a known field selector: only ${names}`)
}
