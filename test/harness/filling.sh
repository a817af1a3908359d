# sh filling.sh STAGE: fills the disk of this service, bytes and names, where the host's FILL_AT names this stage.
[ "$FILL_AT" = "$1" ] || exit 0
filler="$DEPLOYD_SHARED/run/filler"
mkdir -p "$filler"
cat /dev/zero > "$filler/bytes"
cd "$filler" || exit
# One more than there is room for, by one process.
mkdir $(seq 0 "$(stat -f -c %d .)")
exit 0
