"""ppc's bundle on a machine that has a Python torch, CMake and a compiler, and nothing of what ppc is built with: alone.py SYSTEM PPC

SYSTEM is the folder of such a Debian (tools/peers makes it), in which /srv/ppc.tar.gz is what tools/bundle made; PPC a program here, beside which
make_model is. There: LibTorch's plugin is built, a model plays and learns, alone and in two processes under torchrun.
"""
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
system, ppc = map(pathlib.Path, sys.argv[1:])
work = system / "srv/work"
failed = []


def there(command, expect=None, seconds=1800):
    start = time.monotonic()
    # Without anything of this machine's environment; with /proc and /dev, from which programs learn about the machine and make locks.
    inside = 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" env -i PATH=/usr/bin:/bin:/usr/sbin HOME=/root LC_ALL=C.UTF-8 sh -c "$1"'
    done = subprocess.run(["unshare", "--mount", "sh", "-c", inside, str(system), f"cd /srv/work && {command}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=seconds)
    good = done.returncode == 0 and (expect is None or re.search(expect, done.stdout))
    print(f"{'ok    ' if good else 'FAILED'} {time.monotonic() - start:6.1f} s  {command}", flush=True)
    if not good:
        failed.append(command)
        print(done.stdout[-6000:])
    return done.stdout


# The machine knows its own name, as machines do: torchrun (2.14) and Slurm ask for it, and the former waits for ever otherwise.
hosts = system / "etc/hosts"
known = hosts.read_text() if hosts.exists() else "127.0.0.1 localhost\n"
if socket.gethostname() not in known.split():
    hosts.write_text(f"{known}127.0.0.1 {socket.gethostname()}\n")
shutil.rmtree(work, ignore_errors=True)
work.mkdir()
parts = re.split(r"^//--- (\S+)\n", (HERE.parent / "lit/train/run.test").read_text(), flags=re.M)
for name, text in zip(parts[1::2], parts[2::2]):
    (work / name).write_text(text)
shutil.copy(HERE.parent / "lit/train/Inputs/near.py", work)
# Debian's torch is built without libuv, and its own torchrun serves with it all the same (2.6): that one argument is given here.
(work / "torchrun.py").write_text("""
import functools, torch.distributed
torch.distributed.TCPStore = functools.partial(torch.distributed.TCPStore, use_libuv=False)
import torch.distributed.run
torch.distributed.run.main()
""")
subprocess.run([ppc.parent / "make_model", work / "tiny"], check=True)

print(there("python3 -c 'import torch, platform; print(\"torch\", torch.__version__, platform.libc_ver())' && g++ --version | head -1 && cmake --version | head -1"))
there("rm -rf /srv/ppc && tar -C /srv -xf /srv/ppc.tar.gz")
there("ldd /srv/ppc/bin/ppc /srv/ppc/lib/*.so | grep -c 'not found' | grep -qx 0")
there("/srv/ppc/bin/ppc play hellogame --seed 1", "outcome: won")
there("/srv/ppc/bin/ppc play pick.game --player local:tiny --sampling max_tokens=8 --episodes 4 --out played", "pick: 1 episode")
there("! /srv/ppc/bin/ppc train sft sft.yaml", "training takes LibTorch")
made = there("python3 /srv/ppc/tools/build-torch-plugin", "made /srv/ppc/lib/libppc_torch.so")
print("".join(line + "\n" for line in made.splitlines() if "processes" in line.lower() or "warning" in line), end="")
there("/srv/ppc/bin/ppc play pick.game --player picker=bot:dice --repeat 400 --out dice", "400 episodes")
there("/srv/ppc/bin/ppc train sft sft.yaml --quiet", "sft/model")
there("/srv/ppc/bin/ppc train grpo grpo.yaml --quiet", "grpo/model")
one = "WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29433 PPC_GROUP_TIMEOUT=60 /srv/ppc/bin/ppc train sft sft.yaml --quiet --set output=two"
there(f"{{ RANK=1 {one} & RANK=0 {one}; wait; }}")
there("python3 near.py sft/model two/model", "the same within 1e-5")
torchrun = "python3 torchrun.py --no-python --nproc-per-node 2"
# Three ways to start it: each serves in another way what processes meet at.
there(f"{torchrun} /srv/ppc/bin/ppc train sft sft.yaml --quiet --set output=sft2")
there("python3 near.py sft/model sft2/model", "the same within 1e-5")
there(f"{torchrun} --standalone /srv/ppc/bin/ppc train grpo grpo.yaml --quiet --set output=grpo2 --set threads=0 && ls grpo2/model", "model.safetensors")
there(f"{torchrun} --rdzv-backend c10d --rdzv-endpoint localhost:29444 /srv/ppc/bin/ppc train sft sft.yaml --quiet --set output=sft3")
there("python3 near.py sft/model sft3/model", "the same within 1e-5")
# As docs/training.md says.
(work / "job.sh").write_text("""
srun --ntasks 2 --ntasks-per-node 2 bash -c 'RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS MASTER_ADDR=$(scontrol show hostnames | head -1) /srv/ppc/bin/ppc train sft sft.yaml --quiet --set output=slurm'
""")
shutil.copy(HERE / "slurm.sh", work)
there("sh slurm.sh sh job.sh")
there("python3 near.py sft/model slurm/model", "the same within 1e-5")
there("/srv/ppc/bin/ppc train --scale 0.01 --seeds 1 --out miniature", "clemscore")
sys.exit(f"{len(failed)} failed" if failed else 0)
