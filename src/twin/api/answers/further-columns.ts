// Columns of kinds that people rarely list.
import type { KubeObject } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { humanDuration } from '#kube/time/human-duration.ts'
import { fieldsAt, itemsAt, listAt, numberAt, textAt, textsAt, valueAt } from '../../json-value.ts'
import { ageColumn, nameColumn } from './ages.ts'
import { type Column, count, field, number, type Read, text } from './table-column.ts'
import { parameterKind } from './table-words.ts'

const list =
  (name: string): Read =>
  template =>
    itemsAt(template, 'template', 'spec', 'containers')
      .map(container => textAt(container, name) ?? '')
      .join(',')

const policyBinding: readonly Column[] = [
  nameColumn,
  text('PolicyName', field('spec.policyName')),
  text('ParamRef', parameterName),
  ageColumn,
]

export const furtherColumns: Readonly<Record<string, readonly Column[]>> = {
  podtemplates: [
    nameColumn,
    text('Containers', list('name')),
    text('Images', list('image')),
    text(
      'Pod Labels',
      template =>
        Object.entries(textsAt(template, 'template', 'metadata', 'labels'))
          .map(([key, value]) => `${key}=${value}`)
          .toSorted()
          .join(',') || '<none>',
    ),
  ],
  'certificatesigningrequests.certificates.k8s.io': [
    nameColumn,
    ageColumn,
    text('SignerName', field('spec.signerName', '<none>')),
    text('Requestor', field('spec.username')),
    text('RequestedDuration', request => {
      const seconds = numberAt(request, 'spec', 'expirationSeconds')
      return seconds === undefined ? '<none>' : humanDuration(seconds * 1000)
    }),
    text('Condition', requestState),
  ],
  'ipaddresses.networking.k8s.io': [nameColumn, text('ParentRef', parentText), { ...ageColumn, isUnnamed: true }],
  'servicecidrs.networking.k8s.io': [
    nameColumn,
    text('CIDRs', range => listAt(range, 'spec', 'cidrs').map(String).join(',')),
    ageColumn,
  ],
  'volumeattributesclasses.storage.k8s.io': [nameColumn, text('DriverName', field('driverName')), ageColumn],
  'mutatingadmissionpolicies.admissionregistration.k8s.io': [
    nameColumn,
    count('Mutations', policy => listAt(policy, 'spec', 'mutations').length),
    text('ParamKind', parameterKind),
    ageColumn,
  ],
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': policyBinding,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': policyBinding,
  'deviceclasses.resource.k8s.io': [nameColumn, ageColumn],
  'resourceclaims.resource.k8s.io': [nameColumn, text('State', claimState), ageColumn],
  'resourceclaimtemplates.resource.k8s.io': [nameColumn, ageColumn],
  'resourceslices.resource.k8s.io': [
    nameColumn,
    text('Node', field('spec.nodeName')),
    text('Driver', field('spec.driver')),
    text('Pool', field('spec.pool.name')),
    ageColumn,
  ],
  'flowschemas.flowcontrol.apiserver.k8s.io': [
    nameColumn,
    text('PriorityLevel', field('spec.priorityLevelConfiguration.name')),
    text('MatchingPrecedence', number('spec.matchingPrecedence')),
    text('DistinguisherMethod', field('spec.distinguisherMethod.type', '<none>')),
    ageColumn,
    text('MissingPL', schema => {
      const dangling = itemsAt(schema, 'status', 'conditions').find(condition => condition['type'] === 'Dangling')
      return dangling === undefined ? '?' : (textAt(dangling, 'status') ?? '')
    }),
  ],
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': [
    nameColumn,
    text('Type', field('spec.type')),
    text('NominalConcurrencyShares', share('nominalConcurrencyShares')),
    text('Queues', share('limitResponse', 'queuing', 'queues')),
    text('HandSize', share('limitResponse', 'queuing', 'handSize')),
    text('QueueLengthLimit', share('limitResponse', 'queuing', 'queueLengthLimit')),
    ageColumn,
  ],
}

function share(...path: readonly string[]): Read {
  return level => numberAt(level, 'spec', 'limited', ...path) ?? '<none>'
}

function requestState(request: KubeObject): string {
  const has = (type: string) => itemsAt(request, 'status', 'conditions').some(condition => condition['type'] === type)
  const verdict = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'
  const isIssued = (textAt(request, 'status', 'certificate') ?? '') !== ''
  return `${verdict}${has('Failed') ? ',Failed' : ''}${isIssued ? ',Issued' : ''}`
}

function parentText(address: KubeObject): string {
  const parent = fieldsAt(address, 'spec', 'parentRef')
  if (parent === undefined) return '<none>'
  const [group, namespace] = [textAt(parent, 'group') ?? '', textAt(parent, 'namespace') ?? '']
  const resource = `${textAt(parent, 'resource') ?? ''}${group === '' ? '' : `.${group}`}`.toLowerCase()
  return `${resource}${namespace === '' ? '' : `/${namespace}`}/${textAt(parent, 'name') ?? ''}`
}

/** Who names a parameter without a namespace may mean one of any. */
function parameterName(binding: KubeObject): string {
  const reference = fieldsAt(binding, 'spec', 'paramRef')
  const name = textAt(reference, 'name') ?? ''
  if (name !== '') return `${textAt(reference, 'namespace') || '*'}/${name}`
  const selector = fieldsAt(reference, 'selector')
  if (selector === undefined) return '<unset>'
  const parsed = labelSelectorOf(selector)
  return parsed.ok ? parsed.value.toString() : '<error>'
}

function claimState(claim: KubeObject): string {
  const isDeleted = claim.metadata.deletionTimestamp !== undefined
  const isAllocated = valueAt(claim, 'status', 'allocation') !== undefined
  const isReserved = isAllocated && listAt(claim, 'status', 'reservedFor').length > 0
  return [
    ...(isDeleted ? ['deleted'] : []),
    ...(isAllocated ? ['allocated'] : isDeleted ? [] : ['pending']),
    ...(isReserved ? ['reserved'] : []),
  ].join(',')
}
