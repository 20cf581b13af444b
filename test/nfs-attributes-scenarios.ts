// Claims that name VolumeAttributesClasses, as data: upstream's sidecars play them on a real control plane with our driver, since upstream's changes no volume
// (`real/nfs/record-attributes.ts`), and ours are held to what comes of it (`fixtures/nfs/attributes.json`).

import {
  bound,
  type ClaimScenario,
  type ClaimStep,
  claim,
  driverName,
  gone,
  object,
  remove,
  secret,
  storageClass,
  told,
} from './nfs-claims.ts'

const ref = 'PersistentVolumeClaim/data'
const scenario = (name: string, ...steps: readonly ClaimStep[]): ClaimScenario => ({ name: `attributes-${name}`, steps })
const attributes = (name: string, parameters: Readonly<Record<string, string>>, driver: string = driverName): ClaimStep =>
  object('VolumeAttributesClass', `$s-${name}`, { driverName: driver, parameters })
const wish = (name: string | null): ClaimStep => ({
  patch: ref,
  with: { spec: { volumeAttributesClassName: name === null ? null : `$s-${name}` } },
})
const has = (name: string): ClaimStep => ({ await: ref, is: `$s-${name}` })
const asking = (name: string): ClaimStep => claim('data', { volumeAttributesClassName: `$s-${name}` })

const gold = attributes('gold', { mountPermissions: '0770' })
const silver = attributes('silver', { mountPermissions: '02750' })
const bad = attributes('bad', { colour: 'red' })
const failed = told(ref, 'ProvisioningFailed')
const modifyFailed = told(ref, 'VolumeModifyFailed')
const made = [storageClass(), claim(), bound(), gold, silver, bad]
const secretOfClass = {
  'csi.storage.k8s.io/controller-modify-secret-name': 'options',
  'csi.storage.k8s.io/controller-modify-secret-namespace': '$s',
}

export const attributesScenarios: readonly ClaimScenario[] = [
  scenario('at-creation', storageClass(), gold, asking('gold'), bound(), has('gold')),
  scenario('at-creation-and-of-class', storageClass({ mountPermissions: '0777' }), gold, asking('gold'), bound(), has('gold')),
  scenario('at-creation-then-another', storageClass(), gold, silver, asking('gold'), bound(), wish('silver'), has('silver')),
  scenario('missing-at-creation', storageClass(), asking('gold'), failed),
  scenario('comes-after-the-claim', storageClass(), asking('gold'), failed, gold, bound(), has('gold')),
  scenario('of-another-driver', storageClass(), attributes('gold', { a: 'b' }, 'other.example'), asking('gold'), failed),
  scenario('bad-at-creation', storageClass(), bad, asking('bad'), failed),
  scenario('changed', ...made, wish('gold'), has('gold')),
  scenario('changed-twice', ...made, wish('gold'), has('gold'), wish('silver'), has('silver')),
  scenario(
    'changed-while-it-grows',
    storageClass({}, { allowVolumeExpansion: true }),
    claim(),
    bound(),
    gold,
    {
      patch: ref,
      with: { spec: { volumeAttributesClassName: '$s-gold', resources: { requests: { storage: '2Gi' } } } },
    },
    has('gold'),
    told(ref, 'VolumeResizeSuccessful'),
  ),
  scenario('changed-to-a-missing-one', ...made, wish('nothing'), modifyFailed),
  scenario('missing-then-another', ...made, wish('nothing'), modifyFailed, wish('gold'), has('gold')),
  scenario('changed-to-a-bad-one', ...made, wish('bad'), modifyFailed),
  scenario('bad-then-another', ...made, wish('bad'), modifyFailed, wish('gold'), has('gold')),
  scenario('bad-then-none', ...made, wish('bad'), modifyFailed, wish(null), told(ref, 'VolumeModifyCanceled')),
  scenario('gold-then-bad', ...made, wish('gold'), has('gold'), wish('bad'), modifyFailed),
  scenario('gold-then-bad-then-gold', ...made, wish('gold'), has('gold'), wish('bad'), modifyFailed, wish('gold'), {
    await: ref,
    is: 'unmodified',
  }),
  scenario('folder-gone', ...made, { sweep: '$pv:data' }, wish('gold'), modifyFailed),
  scenario(
    'secret',
    secret('options', { a: 'b' }),
    storageClass(secretOfClass),
    claim(),
    bound(),
    gold,
    wish('gold'),
    has('gold'),
  ),
  scenario('secret-missing', storageClass(secretOfClass), claim(), bound(), gold, wish('gold'), told(ref, 'VolumeModify')),
  scenario('deleted-while-it-fails', ...made, wish('bad'), modifyFailed, remove(ref), gone('PersistentVolume/$pv:data')),
]
