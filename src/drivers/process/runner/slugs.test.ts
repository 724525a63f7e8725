import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { forgetUnpacked } from './slugs.ts'

test('after a boot slugs are unpacked again: folders go, archives and everything else stay', () => {
  const folder = mkdtempSync('/tmp/weir-slugs-')
  const hex = 'a'.repeat(64)
  mkdirSync(join(folder, hex))
  writeFileSync(join(folder, hex, 'server.js'), '')
  writeFileSync(join(folder, `${hex}.tar`), '')
  mkdirSync(join(folder, 'index'))
  forgetUnpacked(folder)
  assert.deepEqual(readdirSync(folder).sort(), [`${hex}.tar`, 'index'])
  rmSync(folder, { recursive: true })
  forgetUnpacked(folder)
})
