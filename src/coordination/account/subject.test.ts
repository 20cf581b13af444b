import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { bookOf } from './book.ts'
import { findSubject, shownSubject } from './subject.ts'
import { cluster, deployment, permit, plan, policy } from './testdata/shop.ts'

const set: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'shop', uid: 'set-db' },
  spec: { selector: {}, template: { spec: { containers: [] } } },
}
const bare: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'bare', namespace: 'shop', uid: 'pod-bare' },
  spec: { nodeName: 'n1', containers: [{ name: 'main' }] },
}
const objects = cluster(
  ...deployment(),
  ...deployment({ name: 'cart', namespace: 'other' }).map(object => ({
    ...object,
    metadata: {
      ...object.metadata,
      uid: `other-${object.metadata.uid ?? ''}`,
      ...(object.metadata.ownerReferences === undefined
        ? {}
        : { ownerReferences: object.metadata.ownerReferences.map(owner => ({ ...owner, uid: `other-${owner.uid}` })) }),
    },
  })),
  ...deployment({ name: 'web' }),
  set,
  bare,
  permit({
    workload: 'shop/Deployment/gone',
    target: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'gone-1', uid: 'u' },
  }),
  plan({}),
  policy(),
)
const { state } = buildClusterState(objects)
const book = bookOf(objects)

function search(text: string, namespace?: string): string {
  const found = findSubject(text, namespace, { state, book })
  switch (found.kind) {
    case 'found':
      return shownSubject(found.subject)
    case 'none':
      return `none near ${found.nearest ?? 'nothing'}`
    case 'several':
      return `several: ${found.shown.join(', ')}`
    case 'unknown-kind':
      return `unknown kind near ${found.nearest ?? 'nothing'}`
  }
}

describe('what is meant', () => {
  // biome-ignore format: a table
  test.each([
    ['deploy/web',                        undefined, 'Deployment shop/web'],
    ['deployment/web',                    undefined, 'Deployment shop/web'],
    ['deployments.apps/web',              undefined, 'Deployment shop/web'],
    ['Deployment.v1.apps/web',            undefined, 'Deployment shop/web'],
    ['deployments.example.org/web',       undefined, 'unknown kind near nothing'],
    ['sts/db',                            undefined, 'StatefulSet shop/db'],
    ['rs/web-5d8f',                       undefined, 'Deployment shop/web'],
    ['pod/web-5d8f-a',                    undefined, 'Deployment shop/web'],
    ['po/bare',                           undefined, 'Pod shop/bare'],
    ['node/n1',                           undefined, 'Node n1'],
    ['no/n4',                             undefined, 'none near Node n1'],
    ['plan/p-1',                          undefined, 'RebalancePlan p-1'],
    ['rebalanceplans.ballast.dev/p-1',    undefined, 'RebalancePlan p-1'],
    ['policy/p',                          undefined, 'RebalancePolicy p'],
    ['permit/evict-cart-7',               undefined, 'Deployment shop/gone'],
    ['pod/gone-1',                        undefined, 'Deployment shop/gone'],
    ['deploy/gone',                       undefined, 'Deployment shop/gone'],
    ['deploy/cart',                       undefined, 'several: Deployment other/cart, Deployment shop/cart'],
    ['deploy/cart',                       'other',   'Deployment other/cart'],
    ['ds/web',                            undefined, 'none near Deployment shop/web'],
    ['deploy/wbe',                        undefined, 'none near Deployment shop/web'],
    ['pod/web',                           undefined, 'none near Pod shop/web-5d8f-a'],
    ['deploy/web',                        'other',   'none near nothing'],
    ['deploiment/web',                    undefined, 'unknown kind near deployment'],
    ['deploy',                            undefined, 'unknown kind near Deployment'],
    ['deploy/',                           undefined, 'unknown kind near Deployment'],
    ['constructor/web',                   undefined, 'unknown kind near nothing'],
    ['',                                  undefined, 'unknown kind near nothing'],
  ])('%s in %s', (text, namespace, expected) => {
    expect(search(text, namespace)).toBe(expected)
  })
})
