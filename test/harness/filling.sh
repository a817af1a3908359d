# sh filling.sh STAGE: fills the disk of this service, bytes and names, where the host's FILL_AT names this stage.
[ "$FILL_AT" = "$1" ] || exit 0
filler="$DEPLOYD_SHARED/run/filler"
mkdir -p "$filler"
cat /dev/zero > "$filler/bytes"
at=0
while mkdir "$filler/$at"; do at=$((at + 1)); done
exit 0
