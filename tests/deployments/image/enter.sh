#!/bin/sh
# enter.sh ROOT TEMPORARY READABLE... -- COMMAND...: the command as a pod of OpenShift's `restricted-v2` has it.
#
# Run below `unshare --mount`, with --map-root-user where the caller is not root. ROOT becomes a file system with the
# machine's programs and the folders READABLE, all read-only, and TEMPORARY as /tmp. The user is in no passwd file.
set -eu
root=$1 temporary=$2
shift 2

mount -t tmpfs -o mode=755 none "$root"
shown() { # FOLDER: as it is on the machine, but read-only
    mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
}
for folder in /bin /sbin /lib /lib64 /usr /etc; do
    if [ -L "$folder" ]; then
        ln -s "$(readlink "$folder")" "$root$folder"
    elif [ -d "$folder" ]; then
        shown "$folder"
    fi
done
mkdir "$root/proc" "$root/dev" "$root/tmp" "$root/before"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$temporary" "$root/tmp"
while [ "$1" != -- ]; do
    shown "$1"
    shift
done
shift
cd "$root"
/usr/sbin/pivot_root . before
umount -l /before
mount -o remount,bind,ro /

if [ "$(cat /proc/self/uid_map | tr -s ' ' | cut -d' ' -f4)" = 1 ]; then
    # The one user that this namespace has, under another number.
    exec unshare --user --map-user=1000680000 --map-group=0 "$@"
fi
exec setpriv --reuid=1000680000 --regid=0 --clear-groups --no-new-privs --bounding-set=-all "$@"
