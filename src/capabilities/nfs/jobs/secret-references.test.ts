import { describe, expect, test } from 'vitest'
import { driverParameters, fsTypeOf, provisionerSecret, secretsOfClass } from './provision/class-parameters.ts'
import { listSecret, driverParameters as parametersOfSnapshots, snapshotterSecret } from './snapshot/class-parameters.ts'

type Parameters = Readonly<Record<string, string>>

const claim = { metadata: { name: 'plex', namespace: 'media', annotations: { 'team.example/secret': 'blue' } } }
const names = { claim, volumeName: 'pvc-1' }
const key = (name: string) => `csi.storage.k8s.io/${name}`
const pair = (stem: string, name: string, namespace: string): Parameters => ({
  [key(`${stem}secret-name`)]: name,
  [key(`${stem}secret-namespace`)]: namespace,
})
const own = (name: string, namespace = 'csi-nfs') => pair('provisioner-', name, namespace)

describe('the Secret of a class', () => {
  test.each<[string, Parameters, string]>([
    ['none', {}, 'none'],
    ['plain', own('nas'), 'csi-nfs/nas'],
    ['the standard', pair('', 'nas', 'csi-nfs'), 'csi-nfs/nas'],
    ['its own before the standard', { ...pair('', 'nas', 'csi-nfs'), ...own('other') }, 'csi-nfs/other'],
    ['by the older keys', { csiProvisionerSecretName: 'nas', csiProvisionerSecretNamespace: 'csi-nfs' }, 'csi-nfs/nas'],
    [
      'by both keys',
      { csiProvisionerSecretName: 'nas', ...own('nas') },
      'failed to get name and namespace template from params: Provisioner secrets specified in parameters with both "csi" and "csi.storage.k8s.io/" keys',
    ],
    [
      'without a namespace',
      { [key('provisioner-secret-name')]: 'nas' },
      'failed to get name and namespace template from params: either name and namespace for Provisioner secrets specified, Both must be specified',
    ],
    [
      'an empty name',
      own(''),
      'failed to get name and namespace template from params: Provisioner secrets specified in parameters but value of either namespace or name is empty',
    ],
    [
      'a standard without a name',
      { [key('secret-namespace')]: 'csi-nfs' },
      'failed to get default name and namespace template from params: either name and namespace for Default secrets specified, Both must be specified',
    ],
    ['templates', own(`\${pvc.name}-\${pv.name}`, `\${pvc.namespace}`), 'media/plex-pvc-1'],
    ['an annotation', own(`\${pvc.annotations['team.example/secret']}`), 'csi-nfs/blue'],
    [
      'an annotation as a namespace',
      own('nas', `\${pvc.annotations['team.example/secret']}`),
      `error resolving value "\${pvc.annotations['team.example/secret']}": invalid tokens: ["pvc.annotations['team.example/secret']"]`,
    ],
    [
      'the name of the claim as a namespace',
      own('nas', `\${pvc.name}`),
      `error resolving value "\${pvc.name}": invalid tokens: ["pvc.name"]`,
    ],
    [
      'several unknown words, each once',
      own(`\${b}-\${a}-\${b}`),
      `error resolving value "\${b}-\${a}-\${b}": invalid tokens: ["a" "b"]`,
    ],
    // As os.Expand of Go reads them.
    ['a brace with nothing in it', own(`nas\${}`), 'csi-nfs/nas'],
    ['a brace that is never closed', own(`nas\${pvc.name`), 'csi-nfs/naspvc.name'],
    ['a dollar at the end', own('nas$'), '"nas$" is not a valid secret name'],
    ['a word without braces', own('$pvc'), 'error resolving value "$pvc": invalid tokens: ["pvc"]'],
    ['a digit without braces', own('$1a'), 'error resolving value "$1a": invalid tokens: ["1"]'],
    ['upper case', own('NAS'), '"NAS" is not a valid secret name'],
    ['a namespace with a dot', own('nas', 'a.b'), '"a.b" is not a valid namespace name'],
  ])('%s', (_, parameters, expected) => {
    const found = provisionerSecret(parameters, names)
    const said = found.ok ? (found.value === undefined ? 'none' : `${found.value.namespace}/${found.value.name}`) : found.why
    expect(said).toBe(expected)
  })

  test('a template that leads to no name', () => {
    const odd = { claim: { metadata: { ...claim.metadata, annotations: { a: 'Not A Name' } } }, volumeName: 'pvc-1' }
    expect(provisionerSecret(own(`\${pvc.annotations['a']}`), odd)).toEqual({
      ok: false,
      why: `"\${pvc.annotations['a']}" resolved to "Not A Name" which is not a valid secret name`,
    })
  })

  test('each call has its own or the standard', () => {
    const found = secretsOfClass({ ...pair('', 'nas', 'csi-nfs'), ...pair('node-publish-', 'pub', 'csi-nfs') }, names)
    const nas = { name: 'nas', namespace: 'csi-nfs' }
    expect(found).toEqual({
      ok: true,
      value: {
        provisioner: nas,
        controllerPublish: nas,
        nodeStage: nas,
        nodePublish: { name: 'pub', namespace: 'csi-nfs' },
        controllerExpand: nas,
        nodeExpand: nas,
        controllerModify: nas,
      },
    })
  })

  test('the words of a class of snapshots are others', () => {
    const snapshot = {
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshot',
      metadata: { name: 'a', namespace: 'media' },
      spec: { source: {} },
    }
    const taking = pair('snapshotter-', `\${volumesnapshot.name}`, `\${volumesnapshot.namespace}`)
    expect(snapshotterSecret(taking, { contentName: 'c', snapshot })).toEqual({
      ok: true,
      value: { name: 'a', namespace: 'media' },
    })
    expect(listSecret(pair('snapshotter-list-', `\${volumesnapshotcontent.name}`, 'csi-nfs'), 'c')).toEqual({
      ok: true,
      value: { name: 'c', namespace: 'csi-nfs' },
    })
    expect(listSecret(pair('snapshotter-list-', `\${volumesnapshot.name}`, 'csi-nfs'), 'c').ok).toBe(false)
  })
})

describe('what the driver is told of a class', () => {
  test('keys of sidecars stay with them, older ones go along', () => {
    const parameters = { server: 'candlekeep', csiProvisionerSecretName: 'nas', [key('fstype')]: 'nfs', ...own('nas') }
    const told = driverParameters(parameters, undefined)
    expect(told.ok && [...told.value]).toEqual([
      ['server', 'candlekeep'],
      ['csiProvisionerSecretName', 'nas'],
    ])
  })

  test('names of claim and volume', () => {
    const told = driverParameters({ server: 'candlekeep' }, names)
    expect(told.ok && Object.fromEntries(told.value)).toEqual({
      server: 'candlekeep',
      [key('pvc/name')]: 'plex',
      [key('pvc/namespace')]: 'media',
      [key('pv/name')]: 'pvc-1',
    })
  })

  test('an unknown key of sidecars', () => {
    expect(driverParameters({ [key('what')]: '' }, undefined)).toEqual({
      ok: false,
      why: 'failed to strip CSI Parameters of prefixed keys: found unknown parameter key "csi.storage.k8s.io/what" with reserved namespace csi.storage.k8s.io/',
    })
    expect(parametersOfSnapshots({ [key('fstype')]: 'nfs' }, undefined)).toEqual({
      ok: false,
      why: 'failed to remove CSI Parameters of prefixed keys: found unknown parameter key "csi.storage.k8s.io/fstype" with reserved namespace csi.storage.k8s.io/',
    })
  })

  test.each<[Parameters, string, string]>([
    [{}, 'nfs', 'nfs'],
    [{ fstype: 'ext4' }, 'nfs', 'ext4'],
    [{ FSType: 'xfs' }, 'nfs', 'xfs'],
    [{ [key('fstype')]: 'xfs' }, '', 'xfs'],
    [{ fstype: '' }, 'nfs', 'nfs'],
    [
      { fstype: 'ext4', [key('fstype')]: 'ext4' },
      '',
      'fstype specified in parameters with both "fstype" and "csi.storage.k8s.io/fstype" keys',
    ],
  ])('the type of filesystem of %o, by default %o', (parameters, standard, expected) => {
    const found = fsTypeOf(parameters, standard)
    expect(found.ok ? found.value : found.why).toBe(expected)
  })
})
