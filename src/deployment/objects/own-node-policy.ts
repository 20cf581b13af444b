// An agent writes the node that it runs on and no other: a token that is stolen from one node does nothing to the rest. RBAC cannot say that;
// the API server says in each request which node the token's pod is on (from 1.30 on), and a policy holds the agents to it.
import type { Capability } from '#coordination/capability.ts'
import { all, named, type ObjectTree, text } from '../tree.ts'
import { runsOnNodes } from './agent-roles.ts'
import { fullName, metadataOf } from './object-shapes.ts'

/** The first version of Kubernetes' own that has it is 1.30. */
export const admissionPolicies = 'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy'
const apiVersion = 'admissionregistration.k8s.io/v1'
const nodeName = "'authentication.kubernetes.io/node-name'"

/** The policy and what binds it; none where no capability has a part on nodes that calls the API. */
export function ownNodePolicy(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, 'agent')
  if (runs === undefined) return []
  const around = { file: 'agents/rights.yaml', when: all(runs, { on: 'agent.ownNodeOnly' }, { served: admissionPolicies }) }
  const metadata = metadataOf({ name: fullName('-agent-own-node'), namespace: undefined, component: 'agent' })
  const byAgent = text(
    "request.userInfo.username == 'system:serviceaccount:",
    named('agentNamespace'),
    ':',
    named('agentAccount'),
    "'",
  )
  return [
    {
      ...around,
      tree: {
        apiVersion,
        kind: 'ValidatingAdmissionPolicy',
        metadata,
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: {
            resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['nodes', 'nodes/status'] }],
          },
          matchConditions: [{ name: 'by-an-agent', expression: byAgent }],
          validations: [
            {
              expression: `has(request.userInfo.extra) && ${nodeName} in request.userInfo.extra && request.userInfo.extra[${nodeName}][0] == request.name`,
              message: "an agent writes the node that it runs on, by its pod's token, and no other",
              reason: 'Forbidden',
            },
          ],
        },
      },
    },
    {
      ...around,
      tree: {
        apiVersion,
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata,
        spec: { policyName: fullName('-agent-own-node'), validationActions: ['Deny'] },
      },
    },
  ]
}
