// An agent writes the node that it runs on and no other: a token that is stolen from one node does nothing to the rest. RBAC cannot say that;
// the API server says in each request which node the token's pod is on (from 1.30 on), and a policy holds the agents to it. What an agent may
// write of its Node beyond the status is given beside the policy and never without it.
import type { Capability, OwnNodeWrites } from '#coordination/capability.ts'
import { all, any, type Condition, type Fields, named, type ObjectTree, text } from '../tree.ts'
import { type AgentRole, agentRoles, anyRoleOn, runsOnNodes } from './agent-roles.ts'
import { fullName, metadataOf } from './object-shapes.ts'
import { agentAccount, granted, isMade } from './rights-objects.ts'

/** The first version of Kubernetes' own that has it is 1.30. */
export const admissionPolicies = 'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy'
const apiVersion = 'admissionregistration.k8s.io/v1'
const nodeName = "'authentication.kubernetes.io/node-name'"

/** The pod of the token runs on the node that an expression names. */
const isOnNode = (node: string) =>
  `has(request.userInfo.extra) && ${nodeName} in request.userInfo.extra && request.userInfo.extra[${nodeName}][0] == ${node}`
const isOwnNode = isOnNode('request.name')

/** The policy, what binds it, and the right that it narrows; none where no capability has a part on nodes that calls the API. */
export function ownNodePolicy(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, 'agent')
  if (runs === undefined) return []
  const narrowed = all(runs, { on: 'agent.ownNodeOnly' }, { served: admissionPolicies })
  const around = { file: 'agents/rights.yaml', when: narrowed }
  const byAgent = text(
    "request.userInfo.username == 'system:serviceaccount:",
    named('agentNamespace'),
    ':',
    named('agentAccount'),
    "'",
  )
  const writing = agentRoles(capabilities, 'agent').flatMap(({ capability, part }): readonly Writing[] =>
    part.ownNode === undefined ? [] : [{ capability, writes: part.ownNode }],
  )
  return [
    ...policyOn('-agent-own-node', around, {
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['nodes', 'nodes/status'] }],
      byAgent,
      validations: [
        {
          expression: isOwnNode,
          message: "an agent writes the node that it runs on, by its pod's token, and no other",
          reason: 'Forbidden',
        },
        ...validations(writing.map(({ writes }) => writes)),
      ],
    }),
    ...narrowRight(capabilities, { writing, narrowed }),
    ...ownObjectsPolicy(capabilities, byAgent),
    ...fieldPolicy(capabilities, byAgent),
  ]
}

const writes = ['CREATE', 'UPDATE', 'DELETE']

/** A policy for objects that say by a field whose they are: before the write and after it. None where no capability has such. */
function fieldPolicy(capabilities: readonly Capability[], byAgent: ReturnType<typeof text>): readonly ObjectTree[] {
  const roles = agentRoles(capabilities, 'agent').filter(({ part }) => part.ownObjects?.some(({ nodeField }) => nodeField))
  if (roles.length === 0) return []
  const objects = roles.flatMap(({ part }) => part.ownObjects ?? []).filter(({ nodeField }) => nodeField !== undefined)
  const around = {
    file: 'agents/rights.yaml',
    when: all(anyRoleOn(roles), { on: 'agent.ownNodeOnly' }, { served: admissionPolicies }),
  }
  const isOfOwnNode = (object: string) => `(has(${object}.spec.nodeName) && ${isOnNode(`${object}.spec.nodeName`)})`
  return policyOn('-agent-own-slices', around, {
    resourceRules: objects.map(({ group, resource }) => ({
      apiGroups: [group],
      apiVersions: ['*'],
      operations: writes,
      resources: [resource],
    })),
    byAgent,
    validations: [
      {
        expression: `(request.operation == 'CREATE' || ${isOfOwnNode('oldObject')}) && (request.operation == 'DELETE' || ${isOfOwnNode('object')})`,
        message: 'an agent writes what is of the node that it runs on, and of no other',
        reason: 'Forbidden',
      },
    ],
  })
}

/** A policy of its own for objects that bear the name of their node: none where no capability has such. */
function ownObjectsPolicy(capabilities: readonly Capability[], byAgent: ReturnType<typeof text>): readonly ObjectTree[] {
  const roles = agentRoles(capabilities, 'agent').filter(({ part }) => part.ownObjects?.some(({ nodeField }) => !nodeField))
  if (roles.length === 0) return []
  const objects = roles.flatMap(({ part }) => part.ownObjects ?? []).filter(({ nodeField }) => nodeField === undefined)
  const around = {
    file: 'agents/rights.yaml',
    when: all(anyRoleOn(roles), { on: 'agent.ownNodeOnly' }, { served: admissionPolicies }),
  }
  const labels = 'object.metadata.labels'
  const named = objects.map(({ group, resource, nodeLabel }) => {
    const isOne = `request.resource.group == '${group}' && request.resource.resource == '${resource}'`
    // A kind without the label says by its name alone whose it is.
    if (nodeLabel === undefined) return `(${isOne})`
    return `(${isOne} && has(${labels}) && '${nodeLabel}' in ${labels} && ${labels}['${nodeLabel}'] == request.name)`
  })
  return policyOn('-agent-own-objects', around, {
    resourceRules: objects.map(({ group, resource }) => ({
      apiGroups: [group],
      apiVersions: ['*'],
      operations: writes,
      resources: [resource],
    })),
    byAgent,
    validations: [
      {
        expression: isOwnNode,
        message: "an agent writes the object of the node that it runs on, by its pod's token, and no other",
        reason: 'Forbidden',
      },
      {
        expression: `request.operation == 'DELETE' || ${named.join(' || ')}`,
        message: 'an agent says whose its object is by the label of its own node, and of no other',
        reason: 'Forbidden',
      },
    ],
  })
}

/** A policy of the API server on what agents write, and what binds it. */
function policyOn(
  name: string,
  around: Pick<ObjectTree, 'file'> & { readonly when: Condition },
  spec: {
    readonly resourceRules: readonly Fields[]
    readonly byAgent: ReturnType<typeof text>
    readonly validations: readonly Fields[]
  },
): readonly ObjectTree[] {
  const metadata = metadataOf({ name: fullName(name), namespace: undefined, component: 'agent' })
  return [
    {
      ...around,
      tree: {
        apiVersion,
        kind: 'ValidatingAdmissionPolicy',
        metadata,
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: { resourceRules: spec.resourceRules },
          matchConditions: [{ name: 'by-an-agent', expression: spec.byAgent }],
          validations: spec.validations,
        },
      },
    },
    {
      ...around,
      tree: {
        apiVersion,
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata,
        spec: { policyName: fullName(name), validationActions: ['Deny'] },
      },
    },
  ]
}

interface Writing {
  readonly capability: AgentRole['capability']
  readonly writes: OwnNodeWrites
}

/** `patch` of nodes, where the policy is in force. It comes after the policy. */
function narrowRight(
  capabilities: readonly Capability[],
  { writing, narrowed }: { readonly writing: readonly Writing[]; readonly narrowed: Condition },
): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, 'agent')
  if (writing.length === 0 || runs === undefined) return []
  const wanted = writing.map(({ capability, writes }): Condition => {
    const section = `capabilities.${capability}`
    return all({ on: `${section}.enabled` }, { on: `${section}.${writes.setting}` })
  })
  return granted(agentAccount(runs), {
    file: 'own-node.yaml',
    kind: 'ClusterRole',
    suffix: '-own-node',
    rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['patch'] }],
    when: all(isMade, narrowed, any(...wanted)),
  })
}

/** What a write may change: of the metadata some annotations, of the spec that some taints go. The status is the kubelet's business and ours. */
function validations(writes: readonly OwnNodeWrites[]): readonly { expression: string; message: string; reason: string }[] {
  const list = (texts: readonly string[]) => `[${[...new Set(texts)].map(one => `'${one}'`).join(', ')}]`
  const taints = list(writes.flatMap(({ removesTaints }) => removesTaints))
  const annotations = list(writes.flatMap(({ setsAnnotations }) => setsAnnotations))
  // The server keeps the last three itself with each write.
  const metadata = list(['annotations', 'managedFields', 'resourceVersion', 'generation'])
  const reason = 'Forbidden'
  return [
    {
      expression: `${sameBut('metadata', metadata)} && ${sameBut('metadata.annotations', annotations)}`,
      message: 'an agent changes no labels of its node, and no annotations but those that say that it let the node go',
      reason,
    },
    {
      expression: `${sameBut('spec', "['taints']")}`,
      message: 'an agent changes nothing of the spec of its node but that taints go',
      reason,
    },
    {
      expression: [
        `(!has(object.spec.taints) || object.spec.taints.all(t, has(oldObject.spec.taints) && t in oldObject.spec.taints))`,
        `(!has(oldObject.spec.taints) || oldObject.spec.taints.all(t, t.key in ${taints} || (has(object.spec.taints) && t in object.spec.taints)))`,
      ].join(' && '),
      message: 'an agent sets no taint, and takes none away but ours',
      reason,
    },
  ]
}

/** Whether the maps at `path` before and after are equal but for the keys of `but`. */
function sameBut(path: string, but: string): string {
  const at = (whole: string) => `(has(${whole}.${path}) ? ${whole}.${path} : {})`
  const inside = (one: string, other: string) =>
    `${at(one)}.all(k, k in ${but} || (k in ${at(other)} && ${at(other)}[k] == ${at(one)}[k]))`
  const stay = `${at('oldObject')}.all(k, k in ${but} || k in ${at('object')})`
  return `${inside('object', 'oldObject')} && ${stay}`
}
