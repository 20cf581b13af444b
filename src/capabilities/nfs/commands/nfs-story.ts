// NFS as `ballast up` has it: the driver and its jobs run beside the twin as in a cluster, and servers are folders of this machine.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StandIn, StandInContext, UpStory } from '#cli/up/capability-stories.ts'
import type { Api } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { nfsConfiguration } from '../config.ts'
import { startControllerPart } from '../controller-part.ts'
import { pathOnServer } from '../driver/volume-place.ts'
import { classes, type StoredVolume, type VolumeClass, volumes } from '../jobs/storage-kinds.ts'
import { driverName } from '../names.ts'
import { folderMachine, folderOf } from '../stand-in/folder-machine.ts'
import { knownShares, knownVolumes } from '../watched-facts.ts'

const standIn: StandIn = {
  role: 'nfs-controller',
  provisioners: config => [nfsConfiguration.parse(config).driverName],
  start: startFolders,
}

export const nfsStory: UpStory = {
  toTry: objects => {
    const found = objects.find(object => object.kind === 'StorageClass' && object['provisioner'] === driverName)
    if (found === undefined) return []
    const spec = {
      accessModes: ['ReadWriteMany'],
      storageClassName: found.metadata.name,
      resources: { requests: { storage: '1Gi' } },
    }
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'photos' }, spec }
    return ['Ask for a volume, and see its folder:', `  echo '${JSON.stringify(claim)}' | kubectl apply -f -`]
  },
  watch: (informers, tell) =>
    informers.of<StoredVolume>(volumes).onChange(({ type, object, initial }) => {
      if (initial || type !== 'ADDED' || object.spec.csi?.driver !== driverName) return
      const { namespace, name } = object.spec.claimRef ?? {}
      tell(`nfs        ${namespace}/${name} has the volume ${object.spec.csi.volumeHandle}`)
    }),
  standIn,
}

/** The driver with its jobs, and a folder for each server. Folders of volumes that the cluster began with are made. */
async function startFolders(context: StandInContext, section: unknown, signal: AbortSignal): Promise<AsyncDisposable> {
  const config = nfsConfiguration.parse(section)
  const root = join(context.folder, 'servers')
  const found = await shareFolders(context.api, { driver: config.driverName, root, signal })
  for (const path of found.volumes) mkdirSync(path, { recursive: true })
  await using stack = new AsyncDisposableStack()
  // Sockets have short paths, and what is mounted ends with the process.
  const own = mkdtempSync(join(tmpdir(), 'ballast-csi-'))
  stack.defer(() => rmSync(own, { recursive: true, force: true }))
  const workingMountDir = join(own, 'work')
  mkdirSync(workingMountDir)
  const machine = { ...folderMachine({ root, below: join(own, 'below'), clock: systemClock }), clock: systemClock }
  const place = { socket: join(own, 'csi.sock'), machine, isAlone: true }
  const controller = { ...config.controller, workingMountDir }
  stack.use(await startControllerPart(context, { ...config, controller }, signal, place))
  for (const [share, path] of found.shares)
    context.tell(
      `NFS: ${share} is the folder ${path}, without a kernel's NFS${context.isKept ? '' : ', and goes at the end'}; pods do not write there`,
    )
  const whole = stack.move()
  return { [Symbol.asyncDispose]: () => whole.disposeAsync() }
}

interface Where {
  readonly driver: string
  readonly root: string
  readonly signal: AbortSignal
}

/** Where shares and volumes of a cluster are below `root`. What no folder can stand for is passed over. */
async function shareFolders(api: Api, { driver, root, signal }: Where) {
  const { items: stored } = await api.resource<StoredVolume>(volumes).list({ signal })
  const { items: found } = await api.resource<VolumeClass>(classes).list({ signal })
  const shares = knownShares(found, stored, driver).flatMap(({ server, share }) => {
    const path = folderOf(root, server, share)
    return path === undefined ? [] : [[`${server}:/${share}`, path] as const]
  })
  const paths = [...knownVolumes(stored, driver)].flatMap(volume =>
    volume.isOfDriver ? [folderOf(root, volume.server, pathOnServer(volume))] : [],
  )
  return { shares, volumes: paths.filter(path => path !== undefined) }
}
