import { expect, test } from 'vitest'
import { itemsAt, textAt } from '../../json-value.ts'
import { startTestTwin } from '../../twin-for-tests.ts'

const at = '/api/v1/namespaces/default/pods'
const pod = {
  metadata: { name: 'p' },
  spec: {
    initContainers: [{ name: 'in', image: 'i' }],
    containers: [{ name: 'c', image: 'i' }],
    volumes: [{ name: 'v', emptyDir: {} }],
  },
}
const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }
const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } }
const field = 'spec.ephemeralContainers'
const not = 'Forbidden: cannot be set for an Ephemeral Container'
const exec = { exec: { command: ['a'] } }

async function started() {
  const cluster = await startTestTwin([namespace, account])
  await cluster.client.post(at, pod)
  const patch = (ephemeralContainers: unknown, besides: object = {}) =>
    cluster.client.patch(`${at}/p/ephemeralcontainers`, 'strategic', { spec: { ephemeralContainers }, ...besides })
  return { ...cluster, patch }
}

test('containers are added, with defaults, and nothing else changes', async () => {
  await using cluster = await started()
  const added = { name: 'd', image: 'busybox', stdin: true, tty: true, targetContainerName: 'c' }
  const besides = { metadata: { labels: { a: 'b' }, annotations: { x: 'y' } }, status: { phase: 'Failed' } }
  const { status, body } = await cluster.patch([added], besides)
  expect(status).toBe(200)
  expect(itemsAt(body, 'spec', 'ephemeralContainers')).toEqual([
    {
      ...added,
      imagePullPolicy: 'Always',
      resources: {},
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
    },
  ])
  expect(body).toMatchObject({ metadata: { generation: 2 }, status: { phase: 'Pending' } })
  expect(body).not.toHaveProperty('metadata.labels')
  expect(textAt((await cluster.client.get(`${at}/p/ephemeralcontainers`)).body, 'kind')).toBe('Pod')
})

// What kube-apiserver 1.36.4 said; it shows, besides, how a changed container differs.
const refusals: readonly (readonly [string, unknown, readonly string[]])[] = [
  [
    'another image',
    [{ name: 'd', image: 'other' }],
    [`${field}: Forbidden: existing ephemeral containers "d" may not be changed`],
  ],
  ['gone', [{ $patch: 'delete', name: 'd' }], [`${field}: Forbidden: existing ephemeral containers "d" may not be removed`]],
  ['none left', null, [`${field}: Forbidden: existing ephemeral containers "d" may not be removed`]],
  [
    'what serves and what is promised',
    [
      {
        name: 'e',
        image: 'busybox',
        ports: [{ containerPort: 80 }],
        livenessProbe: exec,
        readinessProbe: exec,
        startupProbe: exec,
        lifecycle: { preStop: exec },
        resources: { requests: { cpu: '1' } },
        resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
        restartPolicy: 'Always',
      },
    ],
    ['ports', 'resources', 'resizePolicy', 'restartPolicy', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'].map(
      name => `${field}[0].${name}: ${not}`,
    ),
  ],
  [
    'names that are taken, no image',
    [
      { name: 'c', image: 'busybox' },
      { name: 'in', image: '' },
    ],
    [`${field}[0].name: Duplicate value: "c"`, `${field}[1].image: Required value`, `${field}[1].name: Duplicate value: "in"`],
  ],
  [
    'targets that are none',
    [
      { name: 'f', image: 'busybox', targetContainerName: 'none' },
      { name: 'g', image: 'b', targetContainerName: 'd' },
    ],
    [`${field}[0].targetContainerName: Not found: "none"`, `${field}[1].targetContainerName: Not found: "d"`],
  ],
  [
    'mounts',
    [
      {
        name: 'f',
        image: 'busybox',
        volumeMounts: [
          { name: 'v', mountPath: '/a', subPath: 'x' },
          { name: 'v', mountPath: '/b', subPathExpr: '$(X)' },
          { name: 'w', mountPath: '/c' },
        ],
      },
    ],
    [
      `${field}[0].volumeMounts[2].name: Not found: "w"`,
      `${field}[0].volumeMounts[0].subPath: ${not}`,
      `${field}[0].volumeMounts[1].subPathExpr: ${not}`,
    ],
  ],
]

test('is refused in the words of kube-apiserver', async () => {
  await using cluster = await started()
  await cluster.patch([{ name: 'd', image: 'busybox' }])
  for (const [name, given, wanted] of refusals) {
    const { status, body } = await cluster.patch(given)
    const causes = itemsAt(body, 'details', 'causes').map(one => `${textAt(one, 'field')}: ${textAt(one, 'message')?.trim()}`)
    expect([status, causes], name).toEqual([422, wanted])
  }
  const plain = await cluster.client.patch(`${at}/p`, 'strategic', { spec: { ephemeralContainers: [{ name: 'z', image: 'i' }] } })
  expect(plain.message).toMatch(/^Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than/)
})
