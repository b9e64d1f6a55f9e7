#!/bin/sh
# Inside an image build, in the project's folder: the pinned service packages with the S3 client into /opt/endomask.
# --cpu leaves CUDA's part of ONNX Runtime out.
set -eu
python3 -m venv /opt/endomask
python3 deploy/requirements.py --s3 "$@" >requirements.txt
/opt/endomask/bin/python -m pip install --no-cache-dir --disable-pip-version-check -q -c constraints.txt -r requirements.txt
# The running service installs nothing.
/opt/endomask/bin/python -m pip uninstall -y -q pip setuptools
find /opt/endomask/lib -type d -name tests -prune -exec rm -rf {} +
