import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { checkMirrors } from './mirror-checks.ts'

const node = (name: string, conditions: readonly object[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { conditions },
})
const ready = (status: string, reason: string, message = 'm') => ({ type: 'ballast.dev/MirrorReady', status, reason, message })

test.each([
  ['nobody writes the condition', [{ type: 'Ready', status: 'False', reason: 'KubeletNotReady' }], []],
  ['it serves', [ready('True', 'Serving')], []],
  [
    'layers are thrown away',
    [ready('True', 'LayersDiscarded', 'thrown away')],
    ['its mirror serves and is of little use to it (LayersDiscarded): thrown away'],
  ],
  [
    'containerd does not ask',
    [ready('True', 'ConfigurationMissing', 'no file')],
    ['its mirror serves and is of little use to it (ConfigurationMissing): no file'],
  ],
  [
    'others changed files of ours',
    [
      ready(
        'True',
        'HostsFilesEdited',
        'Endpoint reports ready at http://[::1]:29999/readyz, but: others changed _default/hosts.toml',
      ),
    ],
    ['others changed _default/hosts.toml'],
  ],
  ['it does not serve', [ready('False', 'NoPeers', 'nobody')], ['its mirror does not serve (NoPeers): nobody']],
])('%s', (_, conditions, messages) => {
  const facts = { objects: [node('n1', conditions)], unread: [], nowMs: 0, ours: undefined }
  const found = checkMirrors(facts)
  expect(found.map(({ message }) => message)).toEqual(messages)
  for (const { fix, object } of found) expect([object, fix]).toEqual(['Node n1', expect.stringMatching(/^(ballast|kubectl) /)])
})
