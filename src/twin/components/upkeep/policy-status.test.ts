import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { person, TestCluster } from '../cluster-for-tests.ts'

const resource = 'validatingadmissionpolicies.admissionregistration.k8s.io'

function policy(expression: string): KubeObject {
  const rule = { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'], operations: ['CREATE'] }
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'replicas' },
    spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression }] },
  }
}

test('a policy whose expression asks for a field that its kind does not have is told of in its status, until it is right', async () => {
  await using cluster = await TestCluster.start([])
  const { access } = cluster
  const status = () => access.get(resource, undefined, 'replicas')?.status
  access.create(resource, policy('object.spec.replica < 3'), person)
  await cluster.settle()
  expect(status()).toEqual({
    observedGeneration: 1,
    typeChecking: {
      expressionWarnings: [
        {
          fieldRef: 'spec.validations[0].expression',
          warning:
            "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replica'\n | object.spec.replica < 3\n | ...........^\n",
        },
      ],
    },
  })
  access.update(
    resource,
    { ...(access.get(resource, undefined, 'replicas') as KubeObject), spec: policy('object.spec.replicas < 3')['spec'] },
    person,
  )
  await cluster.settle()
  // What an apply leaves empty of its own goes, on the real server as well.
  expect(status()).toEqual({ observedGeneration: 2 })
})
