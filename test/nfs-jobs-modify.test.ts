// Claims that ask for other attributes get them, on the twin of an API server, with a CSI driver behind a real socket.
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { controllerCapabilities } from '../src/capabilities/nfs/csi/messages.ts'
import { standardProvision } from '../src/capabilities/nfs/jobs/provision/settings.ts'
import { standardResize } from '../src/capabilities/nfs/jobs/resize/settings.ts'
import { attributesClasses } from '../src/capabilities/nfs/jobs/storage-kinds.ts'
import { FakeDriver, usual } from './nfs-jobs-driver.ts'
import { attributesClass, claim, claims, type JobsSite, jobsSite } from './nfs-jobs-site.ts'

const gold = attributesClass('gold', { mountPermissions: '0770' })
const silver = attributesClass('silver', { mountPermissions: '0700' })
const namespace = 'media'

async function boundSite(resize: Partial<typeof standardResize> = {}): Promise<JobsSite> {
  const driver = new FakeDriver({ can: [...usual, controllerCapabilities.MODIFY_VOLUME] })
  const config = { provision: standardProvision, resize: { ...standardResize, ...resize } }
  const site = await jobsSite({ config, driver, objects: [gold, silver, claim('plex')] })
  site.start()
  await site.until(() => site.isBound('plex'))
  return site
}

const ask = (site: JobsSite, volumeAttributesClassName: string) =>
  site.change(claims, 'plex', { spec: { volumeAttributesClassName } }, { namespace })

/** The class that it has, how a change stands, and conditions. */
function told(site: JobsSite) {
  const { status: said } = site.claim('plex') ?? {}
  const { status: state, targetVolumeAttributesClassName: target } = said?.modifyVolumeStatus ?? {}
  return [
    said?.currentVolumeAttributesClassName,
    state,
    target,
    ...(said?.conditions ?? []).map(({ type, reason }) => reason ?? type),
  ]
}
const attributes = (site: JobsSite) => [...site.driver.volumes.values()].map(one => one.attributes.get('mountPermissions'))
const sayings = (site: JobsSite) => [...site.forbidden, ...site.errors, ...site.warnings]

test('a volume is changed, and the driver is told for whom where that is asked for', async () => {
  await using site = await boundSite({ tellsNames: true })
  await ask(site, 'gold')
  await site.until(() => told(site)[0] === 'gold')
  expect(told(site)).toEqual(['gold', undefined, undefined])
  const [volume] = site.volumes()
  expect(volume?.spec.volumeAttributesClassName).toBe('gold')
  expect(site.driver.calls.find(({ method }) => method === 'modifyVolume')?.request).toEqual({
    volumeId: volume?.spec.csi?.volumeHandle,
    secrets: new Map(),
    mutableParameters: new Map([
      ['mountPermissions', '0770'],
      ['csi.storage.k8s.io/pvc/name', 'plex'],
      ['csi.storage.k8s.io/pvc/namespace', 'media'],
      ['csi.storage.k8s.io/pv/name', volume?.metadata.name],
    ]),
  })
  expect(site.events().filter(event => event.includes('Modify'))).toEqual([
    'Normal VolumeModify plex: external resizer is modifying volume plex with vac gold [external-resizer nfs.csi.k8s.io]',
    'Normal VolumeModifySuccessful plex: external resizer modified volume plex with vac gold successfully [external-resizer nfs.csi.k8s.io]',
  ])
  expect(sayings(site)).toEqual([])
})

test('a call whose end nobody knows is made again as it was, and only then the class that is asked for by now', async () => {
  await using site = await boundSite()
  site.driver.fail(
    'modifyVolume',
    { code: status.DEADLINE_EXCEEDED, details: 'slow', isDone: true },
    { code: status.ABORTED, details: 'still' },
  )
  await ask(site, 'gold')
  await site.until(() => site.driver.count('modifyVolume') === 1)
  await ask(site, 'silver')
  await site.until(() => told(site)[0] === 'silver')
  const asked = site.driver.calls.flatMap(({ method, request }) =>
    method === 'modifyVolume' ? [Object(request).mutableParameters.get('mountPermissions')] : [],
  )
  expect(asked).toEqual(['0770', '0770', '0770', '0700'])
  expect(attributes(site)).toEqual(['0700'])
  expect(told(site)).toEqual(['silver', undefined, undefined])
})

test('what can never be had is said, and tried rarely until another class is asked for', async () => {
  await using site = await boundSite()
  const never = { code: status.INVALID_ARGUMENT, details: 'no' }
  site.driver.fail('modifyVolume', ...Array.from({ length: 20 }, () => never))
  await ask(site, 'gold')
  await site.until(() => told(site)[1] === 'Infeasible')
  await site.pass(4 * 60_000)
  expect(site.driver.count('modifyVolume')).toBe(1)
  expect(told(site)).toEqual([undefined, 'Infeasible', 'gold', 'ModifyingVolume', 'InvalidArgument'])
  await site.pass(10 * 60_000)
  expect(site.driver.count('modifyVolume')).toBeGreaterThan(1)
  site.driver.failures.clear()
  await ask(site, 'silver')
  await site.until(() => told(site)[0] === 'silver')
  expect(told(site)).toEqual(['silver', undefined, undefined])
})

test('a class that comes after the claim asked for it is had at once (upstream waits for its next start)', async () => {
  await using site = await boundSite()
  await ask(site, 'bronze')
  await site.until(() => told(site)[1] === 'Pending')
  expect(site.events()).toContain(
    'Warning VolumeModifyFailed plex: VAC "bronze" does not exist. [external-resizer nfs.csi.k8s.io]',
  )
  await site.create(attributesClasses, attributesClass('bronze', { mountPermissions: '0711' }))
  await site.until(() => told(site)[0] === 'bronze')
  expect(attributes(site)).toEqual(['0711'])
})

test('where attributes are left out, neither class nor volume is touched', async () => {
  await using site = await boundSite({ attributes: 'ignored' })
  await ask(site, 'gold')
  await site.pass(30 * 60_000)
  expect([site.driver.count('modifyVolume'), ...told(site)]).toEqual([0, undefined, undefined, undefined])
})
