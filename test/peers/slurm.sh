# Slurm on one machine, its own controller, for as long as a command runs: slurm.sh COMMAND… (as root, in a system of its own: it writes /etc/slurm)
mkdir -p /etc/slurm /var/spool/slurmctld /var/spool/slurmd
[ -f /etc/slurm/slurm.key ] || head -c 256 /dev/urandom > /etc/slurm/slurm.key
chmod 600 /etc/slurm/slurm.key
host=$(hostname)
echo "CgroupPlugin=disabled" > /etc/slurm/cgroup.conf
cat > /etc/slurm/slurm.conf <<END
ClusterName=alone
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/slurm
CredType=cred/slurm
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldLogFile=/tmp/slurmctld.log
SlurmdLogFile=/tmp/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=ALL Default=YES
END
slurmctld -c
slurmd -c
for i in $(seq 30); do sinfo -h 2>/dev/null | grep -q idle && break; sleep 1; done
"$@"
result=$?
kill "$(cat /run/slurmd.pid)" "$(cat /run/slurmctld.pid)"
exit $result
