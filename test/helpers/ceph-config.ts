export interface CephPorts {
  monV1: number;
  monV2: number;
  gateway: number;
}

/** Settings of a cluster of one monitor, one storage daemon in memory and one gateway. */
export function cephConfig(folder: string, fsid: string, { monV1, monV2, gateway }: CephPorts): string {
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${monV2},v1:127.0.0.1:${monV1}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true

auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = ${folder}/keyring.$name

mon data = ${folder}/mon/$id
osd data = ${folder}/osd/$id
run dir = ${folder}
log file = ${folder}/log/$name.log
# A socket's path may not have more than 107 characters, and the folder's may.
admin socket =
# The daemons stay in the foreground: nothing needs to find their process ids.
pid file =

osd objectstore = memstore
memstore device bytes = 2147483648
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000

rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${gateway}
rgw enable usage log = false
rgw num rados handles = 1
`;
}
