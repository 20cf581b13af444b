import { expect, test } from 'vitest'
import { programsOfFiles } from '../../src/capabilities/nfs/files/tar/child-program.ts'
import { programsOfMounts } from '../../src/capabilities/nfs/mounts/program.ts'
import { mountPrograms } from './debian-base.ts'

test('the image has each program that the driver of NFS starts', () => {
  const lacking = [...programsOfMounts, ...programsOfFiles].filter(
    name => !['usr/bin', 'usr/sbin'].some(folder => mountPrograms.includes(`${folder}/${name}`)),
  )
  expect(lacking).toEqual([])
})
